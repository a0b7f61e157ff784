/** Waiting for what a deployed Worker answers. */
import { setTimeout as pause } from "node:timers/promises";

/** A deployment is everywhere within seconds. */
export const EVERYWHERE_MS = 30_000;
const POLL_MS = 1_000;

/** Looks once a second until `isEnough`. Returns what was seen last. */
export async function watched<Seen>(
  look: () => Promise<Seen>,
  isEnough: (seen: Seen, elapsedMs: number) => boolean,
): Promise<Seen> {
  const began = performance.now();
  for (;;) {
    const seen = await look();
    if (isEnough(seen, performance.now() - began)) return seen;
    await pause(POLL_MS);
  }
}
