/** The article's way: read, add, write, for every increment. */
import { DurableObject } from "cloudflare:workers";

export class NaiveCounter extends DurableObject<Env> {
  override async fetch(): Promise<Response> {
    const count = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return Response.json({ count });
  }
}
