/** The article's way: balances under keys, and a log that is one array of the last 1,000 transfers. */
import { DurableObject } from "cloudflare:workers";

const LOG_CAP = 1_000;

interface Transfer {
  from: string;
  to: string;
  amount: number;
}

export class NaiveAccount extends DurableObject<Env> {
  /** Opens two accounts, with a full log. */
  async prepare(): Promise<void> {
    await this.ctx.storage.put({ "balance:a": 1e12, "balance:b": 1e12 });
    const entry = { from: "a", to: "b", amount: 1, timestamp: Date.now() };
    await this.ctx.storage.put("log", new Array(LOG_CAP).fill(entry));
  }

  override async fetch(request: Request): Promise<Response> {
    const { from, to, amount } = await request.json<Transfer>();
    await this.ctx.storage.transaction(async (transaction) => {
      const payer = (await transaction.get<number>(`balance:${from}`)) ?? 0;
      const payee = (await transaction.get<number>(`balance:${to}`)) ?? 0;
      if (payer < amount) throw new Error(`Insufficient balance: ${payer} < ${amount}`);
      await transaction.put(`balance:${from}`, payer - amount);
      await transaction.put(`balance:${to}`, payee + amount);
      const log = (await transaction.get<object[]>("log")) ?? [];
      log.push({ from, to, amount, timestamp: Date.now() });
      await transaction.put("log", log.slice(-LOG_CAP));
    });
    return Response.json({ success: true, from, to, amount });
  }
}
