/** Ledgers in the bare Worker of `npm run bench:http`. */
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import { heard } from "../../../worker/ledger/told.ts";
import type { Bare } from "../../bench/worker/bare.ts";

interface Bindings {
  ACCOUNT: DurableObjectNamespace<AccountDO>;
}

export const bare: Bare<Bindings> = (app) => {
  const ledgerOf = ({ ACCOUNT }: Bindings, id: string) => ACCOUNT.getByName(`eu:account:${id}`);
  app.post("/account/:ledger/deposit", async (c) => {
    const { account, amount } = await c.req.json<{ account: string; amount: number }>();
    return c.json(heard(await ledgerOf(c.env, c.req.param("ledger")).deposit(account, amount)));
  });
  app.post("/account/:ledger/transfer", async (c) => {
    const { from, to, amount } = await c.req.json<{ from: string; to: string; amount: number }>();
    return c.json(heard(await ledgerOf(c.env, c.req.param("ledger")).transfer(from, to, amount)));
  });
};
