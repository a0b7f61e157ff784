/** What an API token may look like, and what is told of one that may not: never the token itself. */

/** What a request's header can carry. */
export const SENDABLE = /^[\x21-\x7e]+$/;

/** `38 characters`, and what among them is no letter, digit, hyphen or underscore. */
export function shapeOf(token: string): string {
  const odd = token.replaceAll(/[0-9A-Za-z\-_]/g, "").length;
  const space = /\s/.test(token) ? " with spaces or line breaks among them" : "";
  return `${token.length} characters${space || (odd > 0 ? `, ${odd} of them others` : "")}`;
}
