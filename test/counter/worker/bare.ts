/** Counters in the bare Worker of `npm run bench:http`. */
import type { CounterDO } from "../../../worker/counter/counter.ts";
import type { Bare } from "../../bench/worker/bare.ts";

interface Bindings {
  COUNTER: DurableObjectNamespace<CounterDO>;
}

export const bare: Bare<Bindings> = (app) => {
  const counterOf = ({ COUNTER }: Bindings, id = "global") => COUNTER.getByName(`eu:counter:${id}`);
  app.get("/counter/value", async (c) => c.json({ count: await counterOf(c.env, c.req.query("id")).value() }));
  app.post("/counter/increment", async (c) => {
    const { by = 1 } = await c.req.json<{ by?: number }>();
    return c.json({ count: await counterOf(c.env, c.req.query("id")).add(by) });
  });
};
