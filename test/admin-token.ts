/** Whether a deployed Worker takes an admin token, whatever patterns it has, and also where its stack is open. */
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";

const Paths = v.object({
  paths: v.record(
    v.string(),
    v.record(v.string(), v.object({ "x-access": v.optional(v.object({ rule: v.string() })) })),
  ),
});

/** Makes the calls of the admin, about things that are not there, until one is answered 401: then it is not. */
export async function takesToken(url: string | URL, token: string): Promise<boolean> {
  const described = await inTurn(() => fetch(new URL("/openapi.json", url)));
  const text = await described.text();
  if (!described.ok) throw new Error(`GET /openapi.json was answered ${described.status}: ${text}`);
  const { paths } = v.parse(Paths, JSON.parse(text));
  const calls = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      operation["x-access"]?.rule === "admin" ? { path, method: method.toUpperCase() } : [],
    ),
  );
  if (calls.length === 0) throw new Error("no call is the admin's");
  for (const { path, method } of calls) {
    const asked = new URL(path.replaceAll(/\{\w+\}/g, "not-there"), url);
    const headers = { Authorization: `Bearer ${token}` };
    const { status, body } = await inTurn(() => fetch(asked, { method, headers }));
    await body?.cancel();
    if (status === 401) return false;
  }
  return true;
}

/** The answer to a call that comes back when the rate limiter says, since smoke tests come from the same address. */
async function inTurn(call: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const answer = await call();
    if (answer.status !== 429) return answer;
    await answer.body?.cancel();
    await setTimeout(Number(answer.headers.get("Retry-After")) * 1_000);
  }
}
