/** Charges the caller for more than the request itself, if the project has a rate limiter. */
import type { Context } from "hono";
import { MEBIBYTE } from "../objects/units.ts";
import type { Kind } from "../who.ts";
import { callerOrRefusal } from "./caller.ts";
import type { App, Charge } from "./context.ts";
import { Refusal } from "./problem.ts";

/** Charges the caller once more, or where no limiter stands in front: 429 if too few tokens are left. */
export async function charge(c: Context<App>, what: Charge): Promise<void> {
  await c.get("limiter")?.(what)(c, async () => {});
}

/** The policy for new objects, which cost for as long as they are stored. */
const CREATE = { policy: "create", onUnavailable: "allow" } as const;

/** Charges for a new object: 429 if the caller has made too many. The admin and services may make any number. */
export async function chargeForNew(c: Context<App>): Promise<void> {
  const kind = await kindOf(c);
  if (kind !== "admin" && kind !== "service") await charge(c, CREATE);
}

/** Whether the caller is known: no guest, not anonymous. What only others made is deleted after a time of disuse. */
export async function isKnown(c: Context<App>): Promise<boolean> {
  const kind = await kindOf(c);
  return kind !== "guest" && kind !== "anonymous";
}

/** The policy for uploads. A token is a mebibyte. */
const UPLOAD = { policy: "upload", onUnavailable: "allow" } as const;

/** Charges for bytes that will be stored, a token at least: 429 if the caller has stored too many. */
export async function chargeForBytes(c: Context<App>, bytes: number): Promise<void> {
  await charge(c, { ...UPLOAD, cost: Math.max(Math.ceil(bytes / MEBIBYTE), 1) });
}

/** The caller's kind. On an open stack no guard has looked yet, and an invalid token is no reason to refuse. */
async function kindOf(c: Context<App>): Promise<Kind> {
  const caller = c.get("caller") ?? (await callerOrRefusal(c));
  return caller instanceof Refusal ? "anonymous" : caller.kind;
}
