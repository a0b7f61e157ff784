/** A ledger keeps its balances and every transaction, and still adds up. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import type { Client } from "../../infra/smoke/client.ts";
import { list, member, status } from "../../infra/smoke/expect.ts";

export const filling: Filling = {
  binding: "ACCOUNT",
  async fill({ client, id, index, adminToken: token }) {
    const at = (path: string) => `/account/${id}/${path}`;
    const deposit = { json: { account: "ann", amount: 1_000 + index }, token };
    status("a deposit", await client.call(at("deposit"), deposit), 200);
    const transfer = { json: { from: "ann", to: "ben", amount: 10 + index }, token };
    status("a transfer", await client.call(at("transfer"), transfer), 200);
    status("a withdrawal", await client.call(at("withdraw"), { json: { account: "ben", amount: 1 }, token }), 200);
    const read = async () => ({
      balances: await all(client, token, at("balances"), "balances"),
      transactions: await all(client, token, at("transactions"), "transactions"),
      audit: status("the audit", await client.call(at("audit"), { token }), 200),
    });
    return { read };
  },
};

/** All items of a paged list. */
async function all(client: Client, token: string, path: string, name: string): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  for (let query = ""; ; ) {
    const page = status(`GET ${path}`, await client.call(`${path}${query}`, { token }), 200);
    items.push(...list(member(page, name)));
    const cursor = member(page, "cursor");
    if (cursor === null) return items;
    query = `?cursor=${encodeURIComponent(String(cursor))}`;
  }
}
