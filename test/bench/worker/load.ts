/** How a subject of the bench is put under load, on each side: test/<pattern>/worker/bench.ts has them as `subjects`. */
import type { Side } from "../measure.ts";

/** What a run came to. */
export interface Result {
  readonly operations: number;
  readonly ms: number;
}

/** Works for so long, with so many callers at once. */
export type Load = (run: { readonly concurrency: number; readonly ms: number }) => Promise<Result>;

/** One operation. */
export type Call = () => Promise<unknown>;

/** By the name of a subject: its load on a side. What it needs first is made before the clock runs. */
export type Subjects<Bindings> = Readonly<Record<string, (env: Bindings, side: Side) => Promise<Load>>>;

/** The floor of every pattern: an object that does nothing. */
export interface WithFloor {
  FLOOR: DurableObjectNamespace<import("./floor.ts").Floor>;
}

/** What the objects of the bench are called. */
export const NAME = "bench";
export const URL_OF_OBJECT = "https://object/";

/** Begins a run of a side. In the first one it makes what the calls need; a stub is of one run alone. */
type Begin<Bindings> = (env: Bindings, isFirst: boolean) => Call | Promise<Call>;

/** A subject of single calls, over and over. Where the floor needs no other way, it is a call to one object. */
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

/** The article's way is asked by `fetch`. */
export function fetching(namespace: DurableObjectNamespace): Call {
  const stub = namespace.getByName(NAME);
  return async () => (await stub.fetch(URL_OF_OBJECT)).text();
}

/** Calls over and over, so many at once, until the time is over. */
async function repeat(call: Call, { concurrency, ms }: Parameters<Load>[0]): Promise<Result> {
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
