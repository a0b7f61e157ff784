/** Random secrets, and hashes to keep in their place. Runs in the Worker and in Node. */

/** A new secret of `bytes` random bytes, as base64url. */
export function newSecret(bytes: number): string {
  const base64 = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The SHA-256 of a text, in hex. */
export async function sha256(text: string): Promise<string> {
  let hex = "";
  for (const byte of new Uint8Array(await digestOf(text))) hex += HEX[byte];
  return hex;
}

const encoder = new TextEncoder();

/** The SHA-256 of a text. */
export const digestOf = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest("SHA-256", encoder.encode(text));
