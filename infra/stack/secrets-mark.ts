/**
 * A mark by which the next plan sees that a stack's secrets have changed: Cloudflare never gives a secret back, so a
 * version of ours records the mark beside its release.
 */
import { scrypt } from "node:crypto";
import { promisify } from "node:util";
import type { Settings } from "./config.ts";

/**
 * Bytes of a mark. So few on purpose: whoever reads the account learns 16 bits at most, too few to confirm a guess by,
 * and each guess costs a scrypt. In one change of 65,536 the plan does not announce the new version; it is made all the same.
 */
const BYTES = 2;

const hash = promisify<string, string, number, Buffer>(scrypt);

/** The mark of the settings that are secret: four hex digits. Made on another thread, while the account is read. */
export const secretsMark = async ({
  project,
  stack,
  adminToken,
  adminTokenPrevious = "",
}: Pick<Settings, "project" | "stack" | "adminToken" | "adminTokenPrevious">): Promise<string> =>
  (await hash(JSON.stringify([adminToken, adminTokenPrevious]), `${project}:${stack}`, BYTES)).toString("hex");
