/** Whether the smoke test can judge: what is wrong with an address or a token is said before any release is blamed. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { status } from "../../infra/smoke/expect.ts";
import { whyNotReady } from "../../infra/smoke/ready.ts";
import { blindness } from "../../infra/smoke/reason.ts";

const TOKEN = "the-token-of-this-stack";
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Answer = readonly [status: number, body: unknown];

/** A Worker of the stack `production` whose version v-1 serves; `more` answers before it. */
async function worker(more: (request: IncomingMessage) => Answer | undefined = () => undefined): Promise<URL> {
  const answerTo = ({ url, headers }: IncomingMessage): Answer => {
    if (url === "/health") return [200, { environment: "production", version: "v-1" }];
    const get = { "x-access": { action: "thing.audit", rule: "admin" } };
    if (url === "/openapi.json") return [200, { paths: { "/thing/{id}/audit": { get }, "/other": {} } }];
    // What the admin gets may be anything: here it is no JSON, whatever it says.
    return headers.authorization === `Bearer ${TOKEN}` ? [200, undefined] : [401, {}];
  };
  const server = createServer((request, response) => {
    const [code, body] = more(request) ?? answerTo(request);
    response.writeHead(code, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  closing.push(() => server.close());
  return new URL(`http://127.0.0.1:${address.port}/`);
}

const patience = { answerMs: 0, versionMs: 0 };
const ask = (url: URL, adminToken: string | undefined = TOKEN, version: string | undefined = "v-1") =>
  whyNotReady(url, { stack: "production", worker: "w", version, adminToken, patience });

describe("a smoke test", () => {
  it("can judge where the version that serves answers, and takes the token", async () => {
    const asked: unknown[] = [];
    const url = await worker(({ headers }) => void asked.push(headers["cloudflare-workers-version-overrides"]));
    expect(await ask(url)).toBeUndefined();
    expect(new Set(asked)).toEqual(new Set(['w="v-1"']));
  });

  it("waits for a version that was deployed only now", async () => {
    let times = 0;
    const url = await worker(({ url: path }) =>
      path === "/health" && times++ === 0 ? [200, { environment: "production", version: "v-0" }] : undefined,
    );
    const waits = { ...patience, versionMs: 10_000 };
    const options = { stack: "production", worker: "w", version: "v-1", adminToken: TOKEN };
    expect(await whyNotReady(url, { ...options, patience: waits })).toBeUndefined();
    expect(times).toBe(2);
  });

  it.each([
    [[404, "nothing"], /is answered 404.*Correct --url/],
    [[200, { status: "ok" }], /not as this stack's Worker does/],
    [[200, { environment: "staging", version: "v-1" }], /the Worker of staging answers, and not that of production/],
    [[200, { environment: "production", version: "v-2" }], /version v-2 answers, where v-1 serves/],
  ] as const)("cannot judge where /health is answered %j", async (answer, why) => {
    expect(await ask(await worker(({ url }) => (url === "/health" ? answer : undefined)))).toMatch(why);
  });

  it("cannot judge where nothing answers, or the token is refused", async () => {
    expect(await ask(new URL("http://127.0.0.1:9/"))).toMatch(/is not answered.*Correct --url/);
    expect(await ask(await worker(), "another-token")).toMatch(/GET \/thing\/smoke\/audit .* 401.*ADMIN_TOKEN/);
  });

  it("is content with any answer of a Worker that is not ours", async () => {
    const url = await worker(() => [404, "nothing"]);
    const options = { stack: "production", worker: "w", version: undefined, adminToken: TOKEN, patience };
    expect(await whyNotReady(url, options)).toBeUndefined();
  });
});

it("a failed check says nothing of the Worker where nothing answered, or the caller was refused", async () => {
  const caught = (work: () => unknown) =>
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => blindness(error));
  const answer = (code: number) => ({ status: code, headers: new Headers(), body: {} });
  expect(await caught(() => fetch("http://127.0.0.1:9/"))).toBe("not reached");
  expect(await caught(() => status("GET /", answer(401), 200))).toBe("token refused");
  expect(await caught(() => status("GET /", answer(500), 200))).toBeUndefined();
  expect(blindness(new DOMException("late", "TimeoutError"))).toBe("not reached");
  expect(blindness(new TypeError("x is not a function"))).toBeUndefined();
});
