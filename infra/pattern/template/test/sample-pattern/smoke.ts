/** The sample pattern: what is set is read, and a call that comes twice counts once. */
import { equal, status } from "../../infra/smoke/expect.ts";
import { NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, id, options: { adminToken: token } }: Subject): Promise<string> {
  const path = `/sample-pattern/${id}`;
  for (const attempt of ["first", "repeated"]) {
    const answer = await client.call(path, { json: { text: "hello" }, token });
    if (token === undefined && answer.status === 401) return NEEDS_TOKEN;
    equal(`the ${attempt} text`, status(`POST ${path}`, answer, 200), { text: "hello", revision: 1 });
  }
  equal("what is read", status(`GET ${path}`, await client.call(path), 200), { text: "hello", revision: 1 });
  status("a text that is none", await client.call(path, { json: { text: 1 }, token }), 400);
  return "set once, and read";
}
