/** Random secrets, and hashes to keep in their place. Runs in the Worker and in Node. */

/** A new secret of `bytes` random bytes, as base64url. */
export function newSecret(bytes: number): string {
  const base64 = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The SHA-256 of a text, in hex. */
export async function sha256(text: string): Promise<string> {
  return Array.from(new Uint8Array(await digestOf(text)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The SHA-256 of a text. */
export const digestOf = (text: string): Promise<ArrayBuffer> =>
  crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
