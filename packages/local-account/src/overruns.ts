/** What the account says of a Worker that computed for too long. */
import type { Overrun } from "./runtime/cpu-limit.ts";

/** For the person at the terminal. */
export function describe({ worker, what, silence, limitMs, retryMs }: Overrun): string {
  const again =
    retryMs === undefined
      ? []
      : [retryMs === null ? "It is not tried again." : `It is tried again in ${retryMs / 1_000} s.`];
  const [spent, elapsed] = [silence.spentMs, silence.elapsedMs].map(Math.round);
  return [
    `${worker ?? "The account"}: ${what} used ${spent} ms of CPU time without a pause, in ${elapsed} ms, and was ended (1102).`,
    `The limit is ${limitMs} ms: \`limits.cpu_ms\` of the Worker changes it, --no-cpu-limit turns it off.`,
    ...again,
    "All Workers were restarted: WebSockets are closed, and what was only in memory is lost.",
  ].join(" ");
}
