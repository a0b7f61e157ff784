/** Ledgers under load. */
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import { calls, NAME, type Subjects, URL_OF_OBJECT, type WithFloor } from "../../bench/worker/load.ts";
import type { NaiveAccount } from "./naive.ts";

export { NaiveAccount } from "./naive.ts";

interface Bindings extends WithFloor {
  ACCOUNT: DurableObjectNamespace<AccountDO>;
  NAIVE_ACCOUNT: DurableObjectNamespace<NaiveAccount>;
}

/** Transfers in the log when the measure begins: the most that the article's log keeps. */
const LOG = 1_000;

export const subjects: Subjects<Bindings> = {
  transfer: calls<Bindings>({
    naive: async (env, isFirst) => {
      const stub = env.NAIVE_ACCOUNT.getByName(NAME);
      if (isFirst) await stub.prepare();
      const body = JSON.stringify({ from: "a", to: "b", amount: 1 });
      return async () => (await stub.fetch(URL_OF_OBJECT, { method: "POST", body })).text();
    },
    ours: async (env, isFirst) => {
      const stub = env.ACCOUNT.getByName(NAME);
      if (isFirst) {
        await stub.deposit("a", 1e12);
        for (let i = 0; i < LOG; i++) await stub.transfer("a", "b", 1);
      }
      return () => stub.transfer("a", "b", 1);
    },
  }),
};
