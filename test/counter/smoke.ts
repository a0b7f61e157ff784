/** The counter: counts once per idempotency key, never below zero, and informs its watchers. */
import { equal, member, status } from "../../infra/smoke/expect.ts";
import { NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, id, options: { adminToken: token } }: Subject): Promise<string> {
  const at = (action: string) => `/counter/${action}?id=${id}`;
  const socket = await client.connect(at("live"));
  try {
    await socket.next("the count on arrival", (frame) => member(frame, "count") === 0);
    const step = { json: { by: 3 }, headers: { "Idempotency-Key": id }, token };
    for (const attempt of ["first", "repeated"]) {
      const answer = await client.call(at("increment"), step);
      if (token === undefined && answer.status === 401) return NEEDS_TOKEN;
      equal(`the ${attempt} increment`, status("POST /counter/increment", answer, 200), { count: 3 });
    }
    const other = await client.call(at("increment"), { ...step, json: { by: 4 } });
    status("another increment under the same key", other, 409);
    await socket.next("the increment", (frame) => member(frame, "count") === 3);
    const down = await client.call(at("decrement"), { json: { by: 5 }, token });
    equal("a decrement by more than there is", status("POST /counter/decrement", down, 200), { count: 0 });
    await socket.next("the decrement", (frame) => member(frame, "count") === 0);
    equal("the value", status("GET /counter/value", await client.call(at("value")), 200), { count: 0 });
    status("a step that is not a number", await client.call(at("increment"), { json: { by: "3" }, token }), 400);
    return "counted once under one key, floor at 0, live";
  } finally {
    socket.close();
  }
}
