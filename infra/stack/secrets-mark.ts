/**
 * A mark by which the next plan sees that a stack's secrets have changed: Cloudflare never gives a secret back, so a
 * version of ours records the mark beside its release.
 */
import { scrypt } from "node:crypto";
import { promisify } from "node:util";
import type { Owner } from "./placed.ts";
import type { Secrets } from "./program-bindings.ts";

/**
 * Bytes of a mark. So few on purpose: whoever reads the account learns 16 bits at most, too few to confirm a guess by,
 * and each guess costs a scrypt. In one change of 65,536 the plan does not announce the new version; it is made all the same.
 */
const BYTES = 2;

const hash = promisify<string, string, number, Buffer>(scrypt);

/**
 * The mark of the secrets of a stack's Worker: four hex digits. Made on another thread, while the account is read. It
 * does not follow a secret that is known only when a resource is made (`pulumi.Output`).
 */
export async function secretsMark({ project, stack }: Owner, secrets: Secrets): Promise<string> {
  const { ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS = "", ...more } = secrets;
  const own = Object.entries(more)
    .filter(([, secret]) => typeof secret === "string")
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const all = [ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS, ...own];
  return (await hash(JSON.stringify(all), `${project}:${stack}`, BYTES)).toString("hex");
}
