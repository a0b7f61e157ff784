/**
 * What workerd reports of each event of a Worker (runtime/workers/internal.js, `traceOf`): for tails, and for the person
 * at the terminal, who sees every exception with the Worker's own frames.
 */
import * as v from "valibot";
import type { State, Version } from "./model.ts";
import { servingVersions, workerNamed } from "./queries.ts";
import type { Stacks } from "./source-maps.ts";

const Trace = v.looseObject({
  service: v.string(),
  outcome: v.string(),
  entrypoint: v.optional(v.nullable(v.string())),
  exceptions: v.array(
    v.looseObject({ name: v.optional(v.string()), message: v.optional(v.string()), stack: v.optional(v.string()) }),
  ),
  event: v.looseObject({
    request: v.optional(v.looseObject({ url: v.string(), method: v.string() })),
    cron: v.optional(v.string()),
    queue: v.optional(v.string()),
    rpcMethod: v.optional(v.string()),
    scheduledTime: v.optional(v.union([v.string(), v.number()])),
  }),
});
type Trace = v.InferOutput<typeof Trace>;

/** An event of a Worker, as tails get it. It has more members (internal.js, `traceOf`). */
export interface TailEvent extends Pick<Trace, "outcome" | "entrypoint" | "exceptions" | "event"> {
  readonly [more: string]: unknown;
  readonly scriptName: string;
  readonly scriptVersion?: { readonly id: string };
}

/** Reads a trace. `state`: what the runtime runs. The frames of exceptions are mapped. */
export function eventOf(trace: unknown, state: State, stacks: Stacks): TailEvent {
  const { service, exceptions, ...rest } = v.parse(Trace, trace);
  const [scriptName = "", side] = service.split("@", 2);
  const worker = workerNamed(state, scriptName);
  const serving = worker === undefined ? [] : servingVersions(state, worker.id).map(({ version }) => version);
  const versions = side === undefined || side === "objects" ? serving : versionsNamed(state, side);
  const [only, ...others] = versions;
  return {
    ...rest,
    scriptName,
    ...(only !== undefined && others.length === 0 && { scriptVersion: { id: only.id } }),
    exceptions: exceptions.filter(isTheWorkers(rest.outcome)).map(({ stack, ...exception }) => ({
      ...exception,
      ...(stack !== undefined && { stack: stacks.mapped(stack, versions) }),
    })),
  };
}

/** A line that a Worker has logged. Where there is but one, whose line it is is known, and its places are mapped. */
export function shownLine(line: string, state: State, stacks: Stacks): string {
  const [only, ...others] = state.workers.values();
  if (only === undefined || others.length > 0) return line;
  const serving = servingVersions(state, only.id).map(({ version }) => version);
  return stacks.placed(line, serving);
}

/** What workerd says where a Worker has passed a body on, and was answered before all of it was read there. */
const UNREAD = "Can't read from request stream after response has been sent.";
/** A line of a stack that names a place. */
const FRAME = /^\s+at /m;

/** No code of the Worker has failed where the event is in order and no frame says so: it is workerd that stops reading. */
const isTheWorkers =
  (outcome: string) =>
  ({ message, stack = "" }: Trace["exceptions"][number]): boolean =>
    message !== UNREAD || outcome !== "ok" || FRAME.test(stack);

const versionsNamed = (state: State, id: string): Version[] => {
  const version = state.versions.get(id);
  return version === undefined ? [] : [version];
};

/** What an event was, for a person: `GET /path`, `the alarm of Thing`. */
function what({ event, entrypoint }: TailEvent): string {
  const { request, cron, queue, rpcMethod, scheduledTime } = event;
  const of = entrypoint ? ` of ${entrypoint}` : "";
  if (request !== undefined) return `${request.method} ${URL.parse(request.url)?.pathname ?? request.url}${of}`;
  if (cron !== undefined) return `the cron trigger '${cron}'`;
  if (queue !== undefined) return `a batch of the queue '${queue}'`;
  // A constructor that throws is told as a call of no method.
  if (rpcMethod === "") return `the constructor${of}`;
  if (rpcMethod !== undefined) return `${rpcMethod}()${of}`;
  return scheduledTime === undefined ? `an event${of}` : `the alarm${of}`;
}

/** The exceptions of an event with their frames, for the terminal. */
export const describeExceptions = (event: TailEvent): string[] =>
  event.exceptions.map(({ name, message, stack }) =>
    [`${event.scriptName}: ${what(event)} threw ${name ?? "Error"}: ${message ?? ""}`, ...(stack ? [stack] : [])].join(
      "\n",
    ),
  );
