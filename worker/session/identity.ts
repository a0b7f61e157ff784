/** Who a request is from: the public interface of the session pattern. */
import type { Context } from "hono";
import type { App } from "../http/context.ts";
import { objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { shownToken } from "./credentials.ts";
import { session } from "./pattern.ts";
import { placeOfToken } from "./token.ts";

export interface Identity {
  userId: string;
  role: string;
}

/** The identity of the caller's live session (Bearer token or cookie), or undefined without one. Counts as a use. */
export async function identityOf(c: Context<App>): Promise<Identity | undefined> {
  const token = shownToken(c);
  const place = token === undefined ? undefined : await placeOfToken(stackOf(c.env).regions, token);
  if (!place) return undefined;
  const found = await retry(async () => objectFor(c, session, place).read());
  return found && { userId: found.userId, role: found.role };
}
