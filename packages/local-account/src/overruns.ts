/** What the account says of a Worker that computed for too long, or took too much memory. */
import type { Overrun } from "./runtime/cpu-limit.ts";
import type { TailEvent } from "./traces.ts";

/** For the person at the terminal. */
export const describe = (overrun: Overrun): string => [...cause(overrun), ...next(overrun)].join(" ");

function cause({ worker, what, silence, mebibytes, limitMs }: Overrun): string[] {
  const who = `${worker ?? "The account"}: ${what}`;
  if (mebibytes !== undefined)
    return [
      `${who} was ended (1102), because all Workers had taken ${mebibytes} MiB since their start, and this one the most.`,
      "At Cloudflare a Worker has 128 MB. --no-cpu-limit turns this off.",
    ];
  if (silence === undefined)
    return [`${who} was running when workerd crashed, perhaps because it took all memory (1102).`];
  const [spent, elapsed] = [silence.spentMs, silence.elapsedMs].map(Math.round);
  return [
    `${who} used ${spent} ms of CPU time without a pause, in ${elapsed} ms, and was ended (1102).`,
    worker === undefined
      ? `The limit is ${limitMs} ms; --no-cpu-limit turns it off.`
      : `The limit is ${limitMs} ms: \`limits.cpu_ms\` of the Worker changes it, --no-cpu-limit turns it off.`,
  ];
}

function next({ retryMs }: Overrun): string[] {
  const again = retryMs === null ? "It is not tried again." : `It is tried again in ${Number(retryMs) / 1_000} s.`;
  return [
    ...(retryMs === undefined ? [] : [again]),
    "All Workers were restarted: WebSockets are closed, and what was only in memory is lost.",
  ];
}

/** For `wrangler tail`: workerd itself cannot report an event any more that it was ended in. Undefined if none is known. */
export function tailEventOf({ worker, event, silence }: Overrun): TailEvent | undefined {
  if (worker === undefined || event === undefined) return undefined;
  const timestamp = Date.now();
  const [outcome, message] =
    silence === undefined
      ? ["exceededMemory", "Worker exceeded memory limit."]
      : ["exceededCpu", "Worker exceeded CPU time limit."];
  return {
    scriptName: worker,
    outcome,
    entrypoint: null,
    event,
    eventTimestamp: timestamp,
    exceptions: [{ name: "Error", message, timestamp }],
    logs: [],
    diagnosticsChannelEvents: [],
  };
}
