/** Sessions in the bare Worker of `npm run bench:http`. A token is the session's name, hashed. */
import { newSecret, sha256 } from "../../../contract/secrets.ts";
import type { SessionDO } from "../../../worker/session/session.ts";
import type { Bare } from "../../bench/worker/bare.ts";

interface Bindings {
  SESSION: DurableObjectNamespace<SessionDO>;
}

const HALF_AN_HOUR_MS = 30 * 60 * 1_000;

export const bare: Bare<Bindings> = (app) => {
  const sessionOf = async ({ SESSION }: Bindings, token: string) =>
    SESSION.getByName(`eu:session:${await sha256(token)}`);
  app.post("/session", async (c) => {
    const { userId } = await c.req.json<{ userId: string }>();
    const token = newSecret(32);
    const session = await sessionOf(c.env, token);
    await session.begin({ userId, role: "user", metadata: null }, HALF_AN_HOUR_MS, HALF_AN_HOUR_MS);
    return c.json({ token });
  });
  app.get("/session", async (c) => {
    const token = c.req.header("Authorization")?.slice("Bearer ".length) ?? "";
    const found = await (await sessionOf(c.env, token)).read();
    return found ? c.json({ session: found }) : c.json({ error: "no session" }, 404);
  });
};
