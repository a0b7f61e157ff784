/** The session: begun by whom the stack allows, read, and gone when it is ended. */
import { equal, member, status } from "../../infra/smoke/expect.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, options: { adminToken } }: Subject): Promise<string> {
  const nobody = await client.call("/session", { token: "eu~no-such-token" });
  equal("a token that never was", member(status("GET /session", nobody, 404), "error"), "Session not found");
  status("no token at all", await client.call("/session"), 401);

  const begun = await client.call("/session", { json: { userId: "smoke" }, token: adminToken });
  // Where guests may not log in by themselves, that they are refused is all that can be seen without the token.
  if (adminToken === undefined && begun.status === 401) return "guests are refused; the rest needs --admin-token";
  const token = String(member(status("POST /session", begun, 200), "token"));
  const found = status("GET /session", await client.call("/session", { token }), 200);
  // Who logs in by themselves is a guest, and is called one.
  equal("whose it is", member(found, "session", "userId"), adminToken === undefined ? "guest-smoke" : "smoke");
  equal("its role", member(found, "session", "role"), "guest");
  status("DELETE /session", await client.call("/session", { method: "DELETE", token }), 200);
  status("the session after its end", await client.call("/session", { token }), 404);
  return "begun, read, ended, gone";
}
