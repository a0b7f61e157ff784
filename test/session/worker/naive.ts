/** The article's way: every read of a session sets its alarm anew. */
import { DurableObject } from "cloudflare:workers";

const TTL_MS = 30 * 60 * 1_000;

export class NaiveSession extends DurableObject<Env> {
  async prepare(): Promise<void> {
    await this.ctx.storage.put("session", { userId: "u", role: "user", createdAt: Date.now() });
  }

  override async fetch(): Promise<Response> {
    const session = await this.ctx.storage.get("session");
    await this.ctx.storage.setAlarm(Date.now() + TTL_MS);
    return Response.json({ session });
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}
