/** Whether the smoke test can judge: what is wrong with an address or a token is said before any release is blamed. */
import { createServer, type IncomingMessage } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { addressOf, OF_TARGET, OWN } from "../../infra/commands/rollout-end.ts";
import { Client } from "../../infra/smoke/client.ts";
import { status } from "../../infra/smoke/expect.ts";
import { isAnswered, readiness } from "../../infra/smoke/ready.ts";
import { adviceOn, blindness, lostBecause } from "../../infra/smoke/reason.ts";
import { release } from "../../infra/smoke/served.ts";
import { checksOf } from "../../infra/smoke/smoke.ts";
import { listening } from "../../packages/local-account/test/listening.ts";
import { freePort } from "../free-port.ts";
import { preview } from "./preview.ts";

const TOKEN = "the-token-of-this-stack";
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Answer = readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>>];

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
    const [code, body, headers] = more(request) ?? answerTo(request);
    response.writeHead(code, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  });
  const port = await listening(server);
  closing.push(() => server.close());
  return new URL(`http://127.0.0.1:${port}/`);
}

const patience = { answerMs: 0, versionMs: 0 };
const names = { url: "--url", adminToken: "ADMIN_TOKEN or --admin-token" };
const ask = (url: URL, adminToken = TOKEN) =>
  readiness(url, { stack: "production", worker: "w", version: "v-1", adminToken, names, patience });
const because = (why: RegExp) => ({ isReady: false, why: expect.stringMatching(why) });

describe("a smoke test", () => {
  it("can judge where the version that serves answers, and takes the token", async () => {
    const asked: unknown[] = [];
    const url = await worker(({ headers }) => void asked.push(headers["cloudflare-workers-version-overrides"]));
    expect(await ask(url)).toEqual({ isReady: true, takesToken: true });
    expect(new Set(asked)).toEqual(new Set(['w="v-1"']));
  });

  it("waits for a version that was deployed only now", async () => {
    let times = 0;
    const url = await worker(({ url: path }) =>
      path === "/health" && times++ === 0 ? [200, { environment: "production", version: "v-0" }] : undefined,
    );
    const waits = { ...patience, versionMs: 10_000 };
    const options = { stack: "production", worker: "w", version: "v-1", adminToken: TOKEN, names };
    expect(await readiness(url, { ...options, patience: waits })).toMatchObject({ isReady: true });
    expect(times).toBe(2);
  });

  it("waits as long where this machine's clock is set forward meanwhile", async () => {
    const { now } = Date;
    let times = 0;
    const url = await worker(({ url: path }) => {
      if (path !== "/health" || times++ > 0) return undefined;
      vi.spyOn(Date, "now").mockImplementation(() => now() + 3_600_000);
      return [200, { environment: "production", version: "v-0" }];
    });
    closing.push(() => vi.restoreAllMocks());
    const waits = { ...patience, versionMs: 10_000 };
    const options = { stack: "production", worker: "w", version: "v-1", adminToken: TOKEN, names };
    expect(await readiness(url, { ...options, patience: waits })).toMatchObject({ isReady: true });
  });

  it.each([
    [[404, "nothing"], "another site", /is answered 404.*Correct --url/],
    [[403, {}], "another site", /is answered 403.*Correct --url/],
    [[500, {}], "failing", /is answered 500.*Correct --url/],
    [[200, { status: "ok" }], "failing", /not as this stack's Worker does/],
    [
      [200, { environment: "staging", version: "v-1" }],
      "another stack",
      /the Worker of staging answers, and not that of production/,
    ],
    [[200, { environment: "production", version: "v-2" }], "another version", /version v-2 answers, where v-1 serves/],
  ] as const)("cannot judge where /health is answered %j: %s", async (answer, obstacle, why) => {
    expect(await ask(await worker(({ url }) => (url === "/health" ? answer : undefined)))).toMatchObject({
      ...because(why),
      because: obstacle,
    });
  });

  it("cannot judge where nothing answers, or the token is refused", async () => {
    expect(await ask(new URL("http://127.0.0.1:9/"))).toMatchObject(because(/is not answered.*Correct --url/));
    expect(await ask(await worker(), "another-token")).toMatchObject(
      because(/GET \/thing\/smoke\/audit .* 401.*ADMIN_TOKEN/),
    );
  });

  it.each([
    [[429, {}], "not answered", /openapi\.json is answered 429\. Wait until the rate limiter/],
    [[500, {}], "failing", /openapi\.json is answered 500\. `npm run smoke` says/],
    [[522, {}], "not answered", /openapi\.json is not answered: .* 522 by Cloudflare's edge.* route or custom domain/],
    [[200, undefined], "failing", /openapi\.json has an answer that cannot be read: /],
  ] as const)(
    "says why the token could not be tried where the API's description is %j",
    async (answer, obstacle, why) => {
      const url = await worker(({ url: path }) => (path === "/openapi.json" ? answer : undefined));
      const seen = await ask(url);
      expect(seen).toMatchObject({ ...because(/the admin token could not be tried: GET \//), because: obstacle });
      expect(seen).toMatchObject(because(why));
    },
  );

  it("does not take a route that is too busy, or fails, for one that has let the token in", async () => {
    for (const code of [429, 500]) {
      const url = await worker(({ url: path, headers }) =>
        path?.startsWith("/thing/") && headers.authorization !== undefined ? [code, {}] : undefined,
      );
      expect(await ask(url)).toMatchObject(because(new RegExp(`GET /thing/smoke/audit is answered ${code}`)));
    }
  });

  it("tries the token again where one call is lost", async () => {
    let lost = 1;
    const url = await worker(({ url: path, socket }) => {
      if (path === "/openapi.json" && lost-- > 0) socket.destroy();
      return undefined;
    });
    const waits = { ...patience, answerMs: 10_000 };
    const options = { stack: "production", worker: "w", version: "v-1", adminToken: TOKEN, names };
    expect(await readiness(url, { ...options, patience: waits })).toEqual({ isReady: true, takesToken: true });
  });

  const dead: readonly (readonly [address: () => Promise<string>, why: RegExp])[] = [
    [async () => `http://127.0.0.1:${await freePort()}/`, /The connection was refused: no server listens/],
    [async () => "http://no-such-host.invalid/", /DNS does not know the host name/],
    [async () => `https://${(await worker()).host}/`, /TLS failed: the certificate/],
    [async () => (await worker(({ socket }) => void socket.destroy())).href, /The connection was cut\. Look at what/],
    [
      async () => (await worker(() => [530, {}])).href,
      /530 by Cloudflare's edge.*route or custom domain\. Correct --url/,
    ],
  ];
  it.each(dead)("says what to do where no Worker answers, by the error (%#)", async (address, why) => {
    expect(await ask(new URL(await address()))).toMatchObject({ ...because(why), because: "not answered" });
  });

  it("says of a name under localhost that the system does not look it up, which no waiting helps", () => {
    const cause = Object.assign(new Error("getaddrinfo ENOTFOUND app.local.localhost"), { code: "ENOTFOUND" });
    expect(lostBecause(new TypeError("fetch failed", { cause }))).toContain("/etc/hosts");
  });

  it("comes back with the token when the rate limiter says", async () => {
    let busy = 1;
    const url = await worker(({ url: asked }) =>
      asked?.startsWith("/thing/") && busy-- > 0 ? [429, {}, { "Retry-After": "1" }] : undefined,
    );
    expect(await ask(url, "another-token")).toMatchObject(because(/GET \/thing\/smoke\/audit .* 401/));
  });

  it("names the options of the command that asks", async () => {
    const options = { stack: "production", worker: "w", version: "v-1", names: OF_TARGET, patience };
    const wrongToken = await readiness(await worker(), { ...options, adminToken: "another-token" });
    expect(wrongToken).toMatchObject(because(/Give this stack's token as ADMIN_TOKEN;/));
    for (const url of [new URL("http://127.0.0.1:9/"), await worker(() => [404, "nothing"])]) {
      expect(await readiness(url, { ...options, adminToken: TOKEN })).toMatchObject(because(/Correct --to-url,/));
    }
    const settings = { ...preview().settings, stack: "production", hostname: undefined };
    expect(() => addressOf(settings, ".local", OF_TARGET)).toThrow("say with --to-url where");
    expect(() => addressOf(settings, ".local", OWN)).toThrow("say with --url where");
  });

  it("cannot judge where the answer of /health cannot be read", async () => {
    const server = await worker(({ url }) => (url === "/health" ? [200, undefined] : undefined));
    expect(await ask(server)).toMatchObject({ because: "failing", ...because(/cannot be read: .*Correct --url/) });
  });

  it("does not know the token for good where no route asks for it", async () => {
    const open = await worker(({ url }) => (url === "/openapi.json" ? [200, { paths: { "/other": {} } }] : undefined));
    expect(await ask(open)).toEqual({ isReady: true, takesToken: false });
  });

  it("is content with any answer of a Worker that is not ours", async () => {
    const url = await worker(() => [404, "nothing"]);
    const options = { stack: "production", worker: "w", version: undefined, adminToken: TOKEN, names, patience };
    expect(await readiness(url, options)).toMatchObject({ isReady: true });
  });
});

describe("a smoke test that may wait", () => {
  /** Makes its first check where the token is refused so many times. Returns how often the token was tried. */
  const tries = async (refused: number, waitSeconds?: number) => {
    let tried = 0;
    const url = await worker(({ url: path, headers }) => {
      if (path === "/health") return [200, { status: "ok", digest: "d", migration: "m", environment: "e" }];
      if (path?.startsWith("/thing/") && headers.authorization !== undefined && tried++ < refused) return [401, {}];
      return undefined;
    });
    const options = { adminToken: TOKEN, ...(waitSeconds !== undefined && { waitSeconds }) };
    const [check] = await checksOf([["release", release(() => {})]], url, options);
    expect(check).toMatchObject({ ok: true });
    return tried;
  };

  it("waits for a version that takes the admin token, which a new one may not yet", async () => {
    expect(await tries(2, 30)).toBe(3);
  });

  it("waits no longer than it may, and tries no token where it was not told to wait", async () => {
    expect([await tries(2, 0), await tries(2)]).toEqual([1, 0]);
  });
});

it("a Worker that answers, however, can be reached", async () => {
  expect(await isAnswered(await worker(() => [500, "broken"]))).toBe(true);
  expect(await isAnswered(new URL("http://127.0.0.1:9/"), 0)).toBe(false);
  expect(await isAnswered(await worker(() => [522, "the edge"]), 0)).toBe(false);
});

it("a failed check says nothing of the Worker where nothing answered, or the admin token was refused", async () => {
  const caught = (work: () => unknown) =>
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => blindness(error, TOKEN));
  const answer = (code: number, token?: string) => ({ status: code, headers: new Headers(), body: {}, token });
  expect(await caught(() => fetch("http://127.0.0.1:9/"))).toBe("not reached");
  expect(await caught(() => status("GET /", answer(401, TOKEN), 200))).toBe("token refused");
  expect(await caught(() => status("GET /", answer(403, TOKEN), 200))).toBe("token refused");
  // Without a token, or with a session's, the Worker alone is wrong.
  expect(await caught(() => status("GET /", answer(401), 200))).toBeUndefined();
  expect(await caught(() => status("GET /", answer(401, "eu~a-session"), 200))).toBeUndefined();
  expect(await caught(() => status("GET /", answer(500, TOKEN), 200))).toBeUndefined();
  expect(blindness(new DOMException("late", "TimeoutError"), TOKEN)).toBe("not reached");
  expect(adviceOn(new DOMException("late", "TimeoutError"), "--url")).toMatch(/^No answer came in time\./);
  expect(blindness(new TypeError("x is not a function"), TOKEN)).toBeUndefined();
});

it("an answer tells which token its call carried", async () => {
  const client = new Client(await worker());
  expect(await client.call("/health", { token: TOKEN })).toMatchObject({ status: 200, token: TOKEN });
  expect((await client.call("/health")).token).toBeUndefined();
});
