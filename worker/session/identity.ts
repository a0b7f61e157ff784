/** Who a request is from: the public interface of the session pattern. */
import type { Context } from "hono";
import type { App } from "../app.ts";

export interface Identity {
  userId: string;
  role: string;
}

/** The identity of the caller's live session (Bearer token or cookie), or undefined without one. */
export async function identityOf(_: Context<App>): Promise<Identity | undefined> {
  return undefined;
}
