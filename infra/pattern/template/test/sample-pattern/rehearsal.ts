/** The sample pattern keeps its text. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { status } from "../../infra/smoke/expect.ts";

export const filling: Filling = {
  binding: "SAMPLE_PATTERN",
  async fill({ client, id, index, adminToken: token }) {
    const path = `/sample-pattern/${id}`;
    status(`POST ${path}`, await client.call(path, { json: { text: `text ${index}` }, token }), 200);
    return { read: async () => status(`GET ${path}`, await client.call(path), 200) };
  },
};
