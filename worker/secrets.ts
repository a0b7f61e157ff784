/** Random secrets, and hashes that stand for what must not be kept. */

/** A new secret of so many random bytes, as base64url. */
export const newSecret = (bytes: number): string =>
  crypto.getRandomValues(new Uint8Array(bytes)).toBase64({ alphabet: "base64url", omitPadding: true });

/** The SHA-256 of a text, in hex. */
export async function sha256(text: string): Promise<string> {
  return new Uint8Array(await digestOf(text)).toHex();
}

/** The SHA-256 of a text. */
export const digestOf = (text: string): Promise<ArrayBuffer> =>
  crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
