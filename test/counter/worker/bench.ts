/** Counters under load. */
import type { CounterDO } from "../../../worker/counter/counter.ts";
import { calls, fetching, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

export { NaiveCounter } from "./naive.ts";

interface Bindings extends WithFloor {
  COUNTER: DurableObjectNamespace<CounterDO>;
  NAIVE_COUNTER: DurableObjectNamespace;
}

export const subjects: Subjects<Bindings> = {
  counter: calls<Bindings>({
    naive: (env) => fetching(env.NAIVE_COUNTER),
    ours: (env) => {
      const stub = env.COUNTER.getByName(NAME);
      return () => stub.add(1);
    },
  }),
};
