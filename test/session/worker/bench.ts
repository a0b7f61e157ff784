/** Sessions under load. */
import type { SessionDO } from "../../../worker/session/session.ts";
import { type Call, calls, NAME, type Subjects, URL_OF_OBJECT, type WithFloor } from "../../bench/worker/load.ts";
import type { NaiveSession } from "./naive.ts";

export { NaiveSession } from "./naive.ts";

interface Bindings extends WithFloor {
  SESSION: DurableObjectNamespace<SessionDO>;
  NAIVE_SESSION: DurableObjectNamespace<NaiveSession>;
}

/**
 * Read in turn. If a benchmark reads one session many times in a millisecond, all but the first of the article's writes
 * change nothing and cost nothing; real callers never do that.
 */
const SESSIONS = 100;
const HALF_AN_HOUR_MS = 30 * 60 * 1_000;

const manyOf = <T extends Rpc.DurableObjectBranded | undefined>(namespace: DurableObjectNamespace<T>) =>
  Array.from({ length: SESSIONS }, (_, i) => namespace.getByName(`${NAME}-${i}`));

/** Calls many objects, one after the other. */
function inTurn<T>(stubs: readonly T[], call: (stub: T) => Promise<unknown>): Call {
  let turn = 0;
  return async () => {
    const stub = stubs[turn++ % stubs.length];
    return stub && call(stub);
  };
}

export const subjects: Subjects<Bindings> = {
  session: calls<Bindings>(
    {
      naive: async (env, isFirst) => {
        const stubs = manyOf(env.NAIVE_SESSION);
        if (isFirst) await Promise.all(stubs.map((stub) => stub.prepare()));
        return inTurn(stubs, async (stub) => (await stub.fetch(URL_OF_OBJECT)).text());
      },
      ours: async (env, isFirst) => {
        const stubs = manyOf(env.SESSION);
        const who = { userId: "u", role: "user", metadata: null };
        if (isFirst) await Promise.all(stubs.map((stub) => stub.begin(who, HALF_AN_HOUR_MS, HALF_AN_HOUR_MS)));
        return inTurn(stubs, (stub) => stub.read());
      },
    },
    async (env, isFirst) => {
      const stubs = manyOf(env.FLOOR);
      if (isFirst) await Promise.all(stubs.map((stub) => stub.call()));
      return inTurn(stubs, (stub) => stub.call());
    },
  ),
};
