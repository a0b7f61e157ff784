/** Users of a test: where a stack goes by its rules, they change what anybody may on an open one (docs/access.md). */
import type { Client } from "./client.ts";
import { member, status } from "./expect.ts";

/** A user with a session of their own; without a token where the stack has no sessions. */
export interface DemoUser {
  readonly userId: string;
  readonly token?: string;
  /** Ends the session. */
  logOut(): Promise<void>;
}

/** Logs a user in with the admin token. Without it, or without sessions, they call as anybody does. */
export async function logIn(client: Client, userId: string, adminToken: string | undefined): Promise<DemoUser> {
  const nobody = { userId, logOut: async () => {} };
  if (adminToken === undefined) return nobody;
  const begun = await client.call("/session", { json: { userId }, token: adminToken });
  if (begun.status === 404) return nobody;
  const token = String(member(status("POST /session", begun, 200), "token"));
  const logOut = async () => {
    status("DELETE /session", await client.call("/session", { method: "DELETE", token }), 200);
  };
  return { userId, token, logOut };
}

/** What a probe returns that was let in nowhere: by this the smoke test knows that it tried nothing more. */
export const NEEDS_TOKEN = "strangers are refused; the rest needs --admin-token";
