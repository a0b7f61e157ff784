/** What of a smoke test is tried twice: a check that was lost on its way, and none that the Worker has answered. And what all say. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { status } from "../../infra/smoke/expect.ts";
import { mustStaySecret } from "../../infra/smoke/in-the-clear.ts";
import { NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Probe, Subject } from "../../infra/smoke/probe.ts";
import { checksOf, smoke } from "../../infra/smoke/smoke.ts";
import { inAll, reasonsLost, untriedIn, verdictOf } from "../../infra/smoke/verdict.ts";
import { listening } from "../../packages/local-account/test/listening.ts";

/** A Worker whose paths are statuses, and which calls may be lost to. */
async function worker(isLost: (path: string) => boolean = () => false) {
  const asked: string[] = [];
  const server = createServer(({ url: path = "/", socket }, response: ServerResponse) => {
    asked.push(path);
    if (isLost(path)) socket.destroy();
    else response.writeHead(Number(path.slice(1))).end();
  });
  const port = await listening(server);
  onTestFinished(() => void server.close());
  return { url: new URL(`http://127.0.0.1:${port}/`), asked };
}

const get =
  (code: number): Probe =>
  async ({ client }) => {
    status(`GET /${code}`, await client.call(`/${code}`), 200);
    return "all is well";
  };

it("a check that is lost once is tried again, with objects of its own, and says so", async () => {
  let lost = 1;
  const { url, asked } = await worker(() => lost-- > 0);
  const ids: string[] = [];
  const probe: Probe = (subject: Subject) => {
    ids.push(subject.id);
    return get(200)(subject);
  };
  const [check] = await checksOf([["counter", probe]], url);
  expect(check).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^all is well; at the second try, after: .+/),
  });
  expect(asked).toEqual(["/200", "/200"]);
  expect(new Set(ids).size).toBe(2);
});

it("a check that was let in nowhere says that it tried nothing more, also where that took a second try", async () => {
  let lost = 1;
  const { url } = await worker(() => lost-- > 0);
  const stranger: Probe = async ({ client }) => {
    await client.call("/401");
    return NEEDS_TOKEN;
  };
  const checks = await checksOf(
    [
      ["counter", stranger],
      ["page", get(200)],
      ["chat", stranger],
    ],
    url,
  );
  expect(verdictOf(checks)).toBe("well");
  expect(untriedIn(checks)).toEqual(["counter", "chat"]);
  expect(inAll(checks)).toMatch(/^\d+ checks, of which 2 had no admin token/);
});

it.each([404, 500, 503, 520])("an answer that is wrong counts at once: %d", async (code) => {
  const { url, asked } = await worker();
  const [check] = await checksOf([["counter", get(code)]], url);
  expect(check).toMatchObject({ ok: false, detail: expect.stringContaining(`expected 200, got ${code}`) });
  expect(check?.blind).toBeUndefined();
  expect(asked).toEqual([`/${code}`]);
});

it.each([521, 522, 526, 530])("an answer of the edge, which no Worker gives, is tried twice: %d", async (code) => {
  const { url, asked } = await worker();
  const [check] = await checksOf([["counter", get(code)]], url);
  expect(check).toMatchObject({
    ok: false,
    blind: "edge answered",
    detail: expect.stringContaining("Cloudflare's edge"),
  });
  expect(asked).toEqual([`/${code}`, `/${code}`]);
});

it("of a dead address only the first check is tried twice", async () => {
  const { url, asked } = await worker(() => true);
  const checks = await checksOf(
    ["a", "b", "c"].map((name) => [name, get(200)] as const),
    url,
  );
  expect(checks.map(({ blind }) => blind)).toEqual(["not reached", "not reached", "not reached"]);
  expect(asked).toHaveLength(4);
});

it.each([
  ["nothing answers", () => true, "200", "not answered", /^The connection was cut\./],
  ["the edge answers", () => false, "522", "not answered", /^The address leads to an origin server/],
  ["one check alone is never answered", (path: string) => path === "/200", "204", "wrong", /^The connection was cut\./],
] as const)("what the checks say together, where %s", async (...[, isLost, other, verdict, reason]) => {
  const { url } = await worker(isLost);
  const expecting =
    (code: string): Probe =>
    async ({ client }) =>
      String((await client.call(`/${code}`)).status);
  const checks = await checksOf(
    [
      ["a", expecting(isLost("/200") ? "200" : other)],
      ["b", expecting(other)],
    ],
    url,
  );
  expect(verdictOf(checks)).toBe(verdict);
  expect(reasonsLost(checks)).toEqual([expect.stringMatching(reason)]);
});

it("the command says what was not answered, blames no release for it, and ends with the code of `rollout run`", async () => {
  const { url } = await worker(() => true);
  const child = spawn(process.execPath, [join(ROOT, "infra/commands/smoke.ts"), "--url", url.origin]);
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  expect(text).toMatch(/^LOST {2}release .*\n/);
  expect(text).not.toMatch(/FAIL|checks failed/);
  expect(text).toMatch(/not answered by the Worker, which says nothing of the release\. The connection was cut\./);
  expect(code).toBe(4);
});

it("the command says that it may be waiting where the rate limiter puts a call off", async () => {
  const server = createServer((_, response) => response.writeHead(429, { "Retry-After": "60" }).end());
  const url = `http://127.0.0.1:${await listening(server)}`;
  const child = spawn(process.execPath, [join(ROOT, "infra/commands/smoke.ts"), "--url", url]);
  const [told] = await once(child.stderr, "data");
  child.kill("SIGKILL");
  server.close();
  expect(String(told)).toContain("Where the rate limiter refuses a call, it is made again when that says");
});

const TOKEN = "an-admin-token-0123456789-abcdef";

/** A site that answers `/health` with this, and everything else with 404; which tokens it was shown. */
async function site(health: object) {
  const shown: string[] = [];
  const server = createServer(({ url, headers }, response) => {
    if (headers.authorization !== undefined) shown.push(headers.authorization);
    const isHealth = url === "/health";
    response.writeHead(isHealth ? 200 : 404, { "Content-Type": "application/json" });
    response.end(JSON.stringify(isHealth ? health : {}));
  });
  const port = await listening(server);
  onTestFinished(() => void server.close());
  return { url: new URL(`http://127.0.0.1:${port}/`), shown };
}

const OURS = { status: "ok", environment: "staging", digest: "a".repeat(64), migration: "0001-create" };

it.each([
  ["another site", { status: "ok" }, {}, "not as a Worker of this project does"],
  ["another stack, where one is asked for", { ...OURS, environment: "other" }, { stack: "staging" }, "the stack that"],
])("the admin token is kept back from %s", async (_, health, options, detail) => {
  const { url, shown } = await site(health);
  const checks = await smoke(url, { adminToken: TOKEN, waitSeconds: 0, ...options });
  expect(checks.length).toBeGreaterThan(2);
  expect(checks[0]).toMatchObject({ name: "release", ok: false, detail: expect.stringContaining(detail) });
  expect(shown).not.toContain(`Bearer ${TOKEN}`);
});

it("the admin token is shown to a Worker of ours, also to one of another release", async () => {
  const { url, shown } = await site(OURS);
  const [first] = await smoke(url, { adminToken: TOKEN, digest: "b".repeat(64), waitSeconds: 0, stack: "staging" });
  expect(first).toMatchObject({ ok: false, detail: expect.stringContaining("the digest of the release") });
  expect(shown).toContain(`Bearer ${TOKEN}`);
});

it("the admin token goes over no network without TLS", async () => {
  await expect(smoke(new URL("http://192.0.2.1:8787/"), { adminToken: TOKEN })).rejects.toThrow(
    /^The admin token would go to http:\/\/192\.0\.2\.1:8787 where anybody on the way can read it\. Name the address with https:/,
  );
  for (const address of ["http://127.0.0.1/", "http://[::1]:1/", "http://w.x.localhost/", "https://192.0.2.1/"]) {
    expect(() => mustStaySecret(new URL(address), TOKEN), address).not.toThrow();
  }
  expect(() => mustStaySecret(new URL("http://192.0.2.1/"), undefined)).not.toThrow();
  for (const address of ["http://localhost.example.com/", "http://127.0.0.1.example.com/"]) {
    expect(() => mustStaySecret(new URL(address), TOKEN), address).toThrow("The admin token");
  }
});

it("only who has exported the token for a smoke test alone is told to do without it", () => {
  const told = (...options: string[]) => {
    const line = [join(ROOT, "infra/commands/smoke.ts"), "--url", "http://192.0.2.1:8787", ...options];
    const env = { ...process.env, ADMIN_TOKEN: TOKEN };
    const { status, stderr } = spawnSync(process.execPath, line, { encoding: "utf8", env });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^The admin token would go to http:/)]);
    return stderr;
  };
  expect(told()).toMatch(/a port of 127\.0\.0\.1\. Or try it without the token: unset ADMIN_TOKEN\.$/m);
  expect(told("--admin-token", TOKEN)).toMatch(/a port of 127\.0\.0\.1\.$/m);
  // In a rollout and in a promotion it is needed, or has another name.
  expect(() => mustStaySecret(new URL("http://192.0.2.1/"), TOKEN)).toThrow(/a port of 127\.0\.0\.1\.$/);
});
