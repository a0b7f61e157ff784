/** What of a smoke test is tried twice: a check that was lost on its way, and none that the Worker has answered. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { expect, it, onTestFinished } from "vitest";
import { status } from "../../infra/smoke/expect.ts";
import type { Probe, Subject } from "../../infra/smoke/probe.ts";
import { checksOf } from "../../infra/smoke/smoke.ts";

/** A Worker whose paths are statuses, and which calls may be lost to. */
async function worker(isLost: (path: string) => boolean = () => false) {
  const asked: string[] = [];
  const server = createServer(({ url: path = "/", socket }, response: ServerResponse) => {
    asked.push(path);
    if (isLost(path)) socket.destroy();
    else response.writeHead(Number(path.slice(1))).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: new URL(`http://127.0.0.1:${address.port}/`), asked };
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
