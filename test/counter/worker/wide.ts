/** The Worker of test/counter/wide.ts: increments of a counter on one object, and on several. */
import { Hono } from "hono";
import type { CounterDO } from "../../../worker/counter/counter.ts";
import { changeOne } from "../../../worker/counter/shards.ts";
import type { App } from "../../../worker/http/context.ts";

export * from "../../../worker/index.ts";

const routes = new Hono<App>().post("/:id", async (c) => {
  const increment = await changeOne(c, c.req.param("id"), (part, terms) => part.add(1, terms), undefined);
  return c.json(increment);
});

interface Run {
  readonly id: string;
  readonly callers: number;
  readonly ms: number;
  /** How many objects to look at afterwards. */
  readonly parts: number;
}

export default {
  async fetch(request, env) {
    const { id, callers, ms, parts } = await request.json<Run>();
    const until = Date.now() + ms;
    let calls = 0;
    const caller = async () => {
      while (Date.now() < until) {
        await routes.request(`/${id}`, { method: "POST" }, env);
        calls++;
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const part = (number: number): DurableObjectStub<CounterDO> =>
      env.COUNTER.getByName(number === 0 ? `eu:counter:${id}` : `eu:counter:${id}:${number}`);
    const counts = await Promise.all(Array.from({ length: parts }, async (_, i) => (await part(i).part()).count));
    return Response.json({ calls, counts });
  },
} satisfies ExportedHandler<Env>;
