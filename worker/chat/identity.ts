/**
 * Who somebody is in a room: the user of their session, or an anonymous one that the server has made.
 *
 * An anonymous user is known by a secret token, and called by its hash. Who reconnects with the token is the same
 * user; nobody can be somebody else, and no name is ever taken from a URL.
 */
import type { Context } from "hono";
import { bearerToken } from "../http/admin.ts";
import type { App } from "../http/context.ts";
import { identityOf } from "../session/identity.ts";

export interface Who {
  userId: string;
  /** Of an anonymous user: what to show next time. */
  token?: string;
}

/** `anon.` and 256 random bits as base64url. */
const TOKEN = /^anon\.[A-Za-z0-9_-]{43}$/;
const TOKEN_BYTES = 32;
const ID_HEX_DIGITS = 20;

/** Who the request is from: by session, by an anonymous token as bearer or WebSocket subprotocol, or nobody. */
export async function whoIs(c: Context<App>): Promise<Who | undefined> {
  const offered = c.req.header("Sec-WebSocket-Protocol")?.split(",") ?? [];
  const token = [bearerToken(c) ?? "", ...offered].map((text) => text.trim()).find((text) => TOKEN.test(text));
  const session = await identityOf(c);
  if (session) return { userId: session.userId };
  return token === undefined ? undefined : anonymous(token);
}

/** Somebody new. */
export function newcomer(): Promise<Who> {
  const random = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return anonymous(`anon.${random.toBase64({ alphabet: "base64url", omitPadding: true })}`);
}

async function anonymous(token: string): Promise<Who> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return { userId: `anon-${new Uint8Array(digest).toHex().slice(0, ID_HEX_DIGITS)}`, token };
}
