/** A counter keeps its count, and its answers to idempotency keys. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { member, status } from "../../infra/smoke/expect.ts";

export const filling: Filling = {
  binding: "COUNTER",
  socket: (id) => `/counter/live?id=${id}`,
  async fill({ client, id, index, round, adminToken: token }) {
    const at = (action: string) => `/counter/${action}?id=${id}`;
    const once = { json: { by: index + 1 }, headers: { "Idempotency-Key": `once-${id}-${round}` }, token };
    status("POST /counter/increment", await client.call(at("increment"), once), 200);
    status("POST /counter/increment", await client.call(at("increment"), { json: { by: 1_000 }, token }), 200);
    const read = async () => {
      const { count } = Object(status("GET /counter/value", await client.call(at("value")), 200));
      const replayed = status("the increment that was made before", await client.call(at("increment"), once), 200);
      return { count, replayed: member(replayed, "count") };
    };
    return { read };
  },
};
