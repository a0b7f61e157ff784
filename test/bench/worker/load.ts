/** The load of a subject of the bench, on each side: test/<pattern>/worker/bench.ts exports it as `subjects`. */
import type { Side } from "../measure.ts";

/** The result of a run. */
export interface Result {
  readonly operations: number;
  readonly ms: number;
}

/** Makes calls for `ms` milliseconds, `concurrency` at a time. */
export type Load = (run: { readonly concurrency: number; readonly ms: number }) => Promise<Result>;

/** One operation. */
export type Call = () => Promise<unknown>;

/** By the name of a subject: prepares its load on a side. The clock starts after that. */
export type Subjects<Bindings> = Readonly<Record<string, (env: Bindings, side: Side) => Promise<Load>>>;

/** The binding of the floor, an object that does nothing. */
export interface WithFloor {
  FLOOR: DurableObjectNamespace<import("./floor.ts").Floor>;
}

/** The name of the bench's objects. */
export const NAME = "bench";
export const URL_OF_OBJECT = "https://object/";

/** Begins a run of a side. The first run prepares what the calls need. A stub serves one run only. */
type Begin<Bindings> = (env: Bindings, isFirst: boolean) => Call | Promise<Call>;

/** A subject of single calls, repeated. By default the floor is a call to one object. */
export function calls<Bindings extends WithFloor>(
  sides: Readonly<Record<"naive" | "ours", Begin<Bindings>>>,
  floor: Begin<Bindings> = floorOf,
): Subjects<Bindings>[string] {
  const begun = new Set<Side>();
  return async (env, side) => {
    const call = await { ...sides, floor }[side](env, !begun.has(side));
    begun.add(side);
    return (run) => repeat(call, run);
  };
}

function floorOf({ FLOOR }: WithFloor): Call {
  const stub = FLOOR.getByName(NAME);
  return () => stub.call();
}

/** A call by `fetch`, as in the article's way. */
export function fetching(namespace: DurableObjectNamespace): Call {
  const stub = namespace.getByName(NAME);
  return async () => (await stub.fetch(URL_OF_OBJECT)).text();
}

/** Repeats a call, `concurrency` at a time, until the time is over. */
export async function repeat(call: Call, { concurrency, ms }: Parameters<Load>[0]): Promise<Result> {
  const start = Date.now();
  let operations = 0;
  const caller = async () => {
    while (Date.now() - start < ms) {
      await call();
      operations++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { operations, ms: Date.now() - start };
}
