/** The ledger: refuses an overdraft, and with the admin token transfers money and audits the ledger. */
import { setTimeout } from "node:timers/promises";
import { equal, member, status } from "../../infra/smoke/expect.ts";
import { logIn, NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

/** How often to ask whether a transfer to another ledger has arrived, a tenth of a second apart. */
const ASK_TIMES = 50;

export async function probe({ client, id, options: { adminToken } }: Subject): Promise<string> {
  const at = (path: string) => `/account/${id}/${path}`;
  // Each account has the name of the user who owns it.
  const [from, other] = [`${id}-ann`, `${id}-ben`];
  const ann = await logIn(client, from, adminToken);
  const { token = adminToken } = ann;
  const transfer = async (amount: unknown, to = other) =>
    client.call(at("transfer"), { json: { from, to, amount }, token });
  try {
    const attempt = await transfer(5);
    if (token === undefined && attempt.status === 401) return NEEDS_TOKEN;
    const refused = status("an overdraft of an empty account", attempt, 400);
    equal("the refusal", member(refused, "error"), "Insufficient balance: 0 < 5");
    equal("its success", member(refused, "success"), false);
    status("a negative amount", await transfer(-5), 400);
    status("an amount that is text", await transfer("5"), 400);
    status("a transfer to the same account", await transfer(5, from), 400);
    const deposit = { json: { account: from, amount: 10 } };
    status("a deposit without the admin token", await client.call(at("deposit"), deposit), 401);
    if (adminToken === undefined) return "refuses what it must; money was not moved: that needs --admin-token";

    status("a deposit", await client.call(at("deposit"), { ...deposit, token: adminToken }), 200);
    const once = { json: { from, to: other, amount: 7 }, headers: { "Idempotency-Key": id }, token };
    for (const attempt of ["the transfer", "the same transfer again"]) {
      const moved = status(attempt, await client.call(at("transfer"), once), 200);
      equal(`what is left after ${attempt}`, member(moved, "balances", from), 3);
    }
    const overdraft = status("an overdraft", await transfer(5), 400);
    equal("the refusal", member(overdraft, "error"), "Insufficient balance: 3 < 5");
    const ben = status("a balance", await client.call(at(`balances/${other}`), { token: adminToken }), 200);
    equal("the other balance", member(ben, "balance"), 7);
    const held = { json: { from, to: other, amount: 3, holdSeconds: 60 }, token };
    const hold = status("money that is held", await client.call(at("transfer"), held), 200);
    const back = at(`transfers/${member(hold, "id")}/void`);
    status("its way back", await client.call(back, { method: "POST", token: adminToken }), 200);
    const sent = { json: { from, to: `${id}-far/${other}`, amount: 1 }, token };
    const send = status("a transfer to another ledger", await client.call(at("transfer"), sent), 200);
    await arrived(client, at(`transfers/${member(send, "id")}`), adminToken);
    const audit = status("the audit", await client.call(at("audit"), { token: adminToken }), 200);
    equal("the audit's findings", [member(audit, "ok"), member(audit, "total")], [true, 0]);
    return "refuses what it must, moves money once under one key and to another ledger, adds up";
  } finally {
    await ann.logOut();
  }
}

/** Waits until a transfer has reached the other ledger. */
async function arrived(client: Subject["client"], path: string, token: string): Promise<void> {
  for (let times = 1; ; times++) {
    const transfer = status("what became of it", await client.call(path, { token }), 200);
    if (times === ASK_TIMES || member(transfer, "state") !== "pending") {
      return equal("what became of a transfer to another ledger", member(transfer, "state"), "completed");
    }
    await setTimeout(100);
  }
}
