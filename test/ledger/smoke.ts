/** The ledger: refuses what is not there, and with the admin token moves money and proves that it adds up. */
import { equal, member, status } from "../../infra/smoke/expect.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, id, options: { adminToken } }: Subject): Promise<string> {
  const at = (path: string) => `/account/${id}/${path}`;
  const transfer = async (amount: unknown, to = "ben") =>
    client.call(at("transfer"), { json: { from: "ann", to, amount } });

  const refused = status("a transfer of money that is not there", await transfer(5), 400);
  equal("the refusal", member(refused, "error"), "Insufficient balance: 0 < 5");
  equal("its success", member(refused, "success"), false);
  status("a negative amount", await transfer(-5), 400);
  status("an amount that is text", await transfer("5"), 400);
  status("a transfer to the same account", await transfer(5, "ann"), 400);
  const deposit = { json: { account: "ann", amount: 10 } };
  status("a deposit without the admin token", await client.call(at("deposit"), deposit), 401);
  if (adminToken === undefined) return "refuses what it must; money was not moved: that takes --admin-token";

  status("a deposit", await client.call(at("deposit"), { ...deposit, token: adminToken }), 200);
  const once = { json: { from: "ann", to: "ben", amount: 7 }, headers: { "Idempotency-Key": id } };
  for (const attempt of ["the transfer", "the same transfer again"]) {
    const moved = status(attempt, await client.call(at("transfer"), once), 200);
    equal(`the balances after ${attempt}`, member(moved, "balances"), { ann: 3, ben: 7 });
  }
  const overdraft = status("an overdraft", await transfer(5), 400);
  equal("the refusal", member(overdraft, "error"), "Insufficient balance: 3 < 5");
  const ben = status("a balance", await client.call(at("balances/ben")), 200);
  equal("what the other has", member(ben, "balance"), 7);
  const audit = status("the audit", await client.call(at("audit")), 200);
  equal("the audit's findings", [member(audit, "ok"), member(audit, "total")], [true, 0]);
  return "refuses what it must, moves money once under one key, adds up";
}
