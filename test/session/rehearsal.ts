/** A session keeps its user and its absolute end. Its expiry is not compared, because each read moves it. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { member, status } from "../../infra/smoke/expect.ts";

const KEPT = ["userId", "role", "metadata", "createdAt", "endsAt"] as const;

export const filling: Filling = {
  binding: "SESSION",
  takesId: false,
  async fill({ client, index, adminToken }) {
    const json = { userId: `rehearsal-${index}`, role: "editor", metadata: { index } };
    const begun = await client.call("/session", { json, token: adminToken });
    const token = String(member(status("POST /session", begun, 200), "token"));
    const read = async () => {
      const found = status("GET /session", await client.call("/session", { token }), 200);
      return Object.fromEntries(KEPT.map((name) => [name, member(found, "session", name)]));
    };
    // A session is in the region nearest to its caller; the token names the region.
    return { read, region: token.slice(0, token.indexOf("~")) };
  },
};
