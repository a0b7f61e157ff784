/** Charges the caller for more than the request itself, where the project has a rate limiter. */
import type { Context } from "hono";
import type { Kind } from "../who.ts";
import { callerOrRefusal } from "./caller.ts";
import type { App } from "./context.ts";
import { Refusal } from "./problem.ts";

/** The policy of callers who make something new: what is stored costs for as long as it is there. */
const CREATE = { policy: "create", onUnavailable: "allow" } as const;

/** Charges for a new object: 429 where the caller has made too many. The admin and services may make any number. */
export async function chargeForNew(c: Context<App>): Promise<void> {
  const kind = await kindOf(c);
  if (kind !== "admin" && kind !== "service") await c.get("limiter")?.(CREATE)(c, async () => {});
}

/** Whether the caller is somebody who can be asked: what only others have made goes after a while without use. */
export async function isKnown(c: Context<App>): Promise<boolean> {
  const kind = await kindOf(c);
  return kind !== "guest" && kind !== "anonymous";
}

/** The policy of uploads, whose tokens are mebibytes. */
const UPLOAD = { policy: "upload", onUnavailable: "allow" } as const;
const MEBIBYTE = 1_024 * 1_024;

/** Charges for so many bytes that are to be kept: 429 where the caller has brought too many. */
export async function chargeForBytes(c: Context<App>, bytes: number): Promise<void> {
  await c.get("limiter")?.({ ...UPLOAD, cost: Math.ceil(bytes / MEBIBYTE) })(c, async () => {});
}

/** On an open stack nobody has asked yet, and a bad token is no reason to refuse. */
async function kindOf(c: Context<App>): Promise<Kind> {
  const caller = c.get("caller") ?? (await callerOrRefusal(c));
  return caller instanceof Refusal ? "anonymous" : caller.kind;
}
