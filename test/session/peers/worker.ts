/** Sessions as people keep them with other packages. */
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import type { SessionDO } from "../../../worker/session/session.ts";
import { calls, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

interface Bindings extends WithFloor {
  SESSION: DurableObjectNamespace<SessionDO>;
  READS: KVNamespace;
}

const HALF_AN_HOUR_MS = 30 * 60 * 1_000;
const BASE = "https://bench.example";

const ours = async ({ SESSION }: Bindings, isFirst: boolean) => {
  const stub = SESSION.getByName(NAME);
  if (isFirst) await stub.begin({ userId: "u", role: "user", metadata: null }, HALF_AN_HOUR_MS, HALF_AN_HOUR_MS);
  return () => stub.read();
};

/** The cookies of an answer, as a browser sends them back. */
const cookiesOf = (answer: Response) =>
  answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");

async function betterAuthCall() {
  const auth = betterAuth({
    baseURL: BASE,
    secret: "a secret of the bench with some length",
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, maxAge: 300 } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  });
  const signUp = new Request(`${BASE}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: BASE },
    body: JSON.stringify({ name: "u", email: "u@bench.example", password: "long enough to be taken" }),
  });
  const answer = await auth.handler(signUp);
  if (!answer.ok) throw new Error(`better-auth answered ${answer.status}: ${await answer.text()}`);
  const headers = new Headers({ Cookie: cookiesOf(answer) });
  const read = async () => {
    const found = await auth.api.getSession({ headers });
    if (!found) throw new Error("better-auth finds no session");
    return found;
  };
  await read();
  return read;
}

export const subjects: Subjects<Bindings> = {
  "session-better-auth": calls<Bindings>({ naive: betterAuthCall, ours }),
  "session-kv": calls<Bindings>({
    naive: async ({ READS }, isFirst) => {
      const session = JSON.stringify({ userId: "u", role: "user", createdAt: Date.now() });
      if (isFirst) await READS.put(NAME, session, { expirationTtl: 1_800 });
      return () => READS.get(NAME, "json");
    },
    ours,
  }),
};
