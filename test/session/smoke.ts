/** The session: begun if the stack allows it, read, and gone after its end. */
import { equal, member, status } from "../../infra/smoke/expect.ts";
import { NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, options: { adminToken } }: Subject): Promise<string> {
  const nobody = await client.call("/session", { token: "eu~no-such-token" });
  equal("a token that never was", member(status("GET /session", nobody, 404), "error"), "Session not found");
  status("no token at all", await client.call("/session"), 401);

  const begun = await client.call("/session", { json: { userId: "smoke" }, token: adminToken });
  // On a stack without guest logins, only the refusal can be tested without the admin token.
  if (adminToken === undefined && begun.status === 401) return NEEDS_TOKEN;
  const token = String(member(status("POST /session", begun, 200), "token"));
  const found = status("GET /session", await client.call("/session", { token }), 200);
  // Without the admin token the session is a guest's, and its id says so.
  equal("its user", member(found, "session", "userId"), adminToken === undefined ? "guest-smoke" : "smoke");
  equal("its role", member(found, "session", "role"), "guest");
  status("DELETE /session", await client.call("/session", { method: "DELETE", token }), 200);
  status("the session after its end", await client.call("/session", { token }), 404);
  return "begun, read, ended, gone";
}
