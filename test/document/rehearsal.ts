/** A document keeps its text, its versions, and who owns it. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { member, status } from "../../infra/smoke/expect.ts";
import { updateOf } from "./client.ts";

export const filling: Filling = {
  binding: "DOCUMENT",
  socket: (id) => `/document/${id}`,
  async fill({ client, id, index, round, adminToken: token }) {
    const path = `/document/${id}`;
    const write = async (text: string) => {
      const headers = { "Content-Type": "application/octet-stream" };
      status(`POST ${path}`, await client.call(path, { text: updateOf(text, `part-${round}`), headers, token }), 200);
    };
    await write(`text ${index}`);
    const named = { json: { name: `round ${round}` }, token };
    const version = member(status("a version", await client.call(`${path}/versions`, named), 201), "number");
    await write(`, and more of ${id}. `);
    const owner = { method: "PUT", json: { owner: `rehearsal-${index}` }, token };
    status("an owner", await client.call(`${path}/access`, owner), 200);
    const ask = async (at: string) => status(`GET ${at}`, await client.call(at, { token }), 200);
    return {
      read: async () => ({
        document: await ask(path),
        access: await ask(`${path}/access`),
        versions: await ask(`${path}/versions`),
        version: await ask(`${path}/versions/${version}`),
      }),
      token: async () => token,
    };
  },
};
