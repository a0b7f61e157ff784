/** What the account says of a Worker that computed for too long. */
import type { Overrun } from "./runtime/cpu-limit.ts";

/** For the person at the terminal. */
export const describe = (overrun: Overrun): string => [...cause(overrun), ...next(overrun)].join(" ");

function cause({ worker, what, silence, limitMs }: Overrun): string[] {
  const who = `${worker ?? "The account"}: ${what}`;
  if (silence === undefined)
    return [`${who} was running when workerd crashed, perhaps because it took all memory (1102).`];
  const [spent, elapsed] = [silence.spentMs, silence.elapsedMs].map(Math.round);
  return [
    `${who} used ${spent} ms of CPU time without a pause, in ${elapsed} ms, and was ended (1102).`,
    `The limit is ${limitMs} ms: \`limits.cpu_ms\` of the Worker changes it, --no-cpu-limit turns it off.`,
  ];
}

function next({ retryMs }: Overrun): string[] {
  const again = retryMs === null ? "It is not tried again." : `It is tried again in ${Number(retryMs) / 1_000} s.`;
  return [
    ...(retryMs === undefined ? [] : [again]),
    "All Workers were restarted: WebSockets are closed, and what was only in memory is lost.",
  ];
}
