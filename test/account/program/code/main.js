import { DurableObject } from "cloudflare:workers";
import { text } from "./text.js";

export class Box extends DurableObject {
  add() {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }
}

export default {
  async fetch(_request, env) {
    return Response.json({ text, label: env.LABEL.name, count: await env.BOX.getByName("one").add() });
  },
};
