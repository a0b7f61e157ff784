/** The smoke test on a healthy stack, and on ones that are not. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, it, onTestFinished } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { smoke } from "../../infra/smoke/smoke.ts";
import { listening } from "../../packages/local-account/test/listening.ts";
import { patterns } from "../../worker/patterns.ts";

const stack = inject("stack");

/** The release, the page, and each pattern. */
const CHECKS = 2 + patterns.length;

const cli = (...options: string[]) =>
  promisify(execFile)(process.execPath, [join(ROOT, "infra/commands/smoke.ts"), ...options], {
    env: { ...process.env, ADMIN_TOKEN: "" },
  }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout, stderr }) => ({ code, stdout: `${stdout}${stderr}` }),
  );

it("passes every pattern of a healthy stack, with the admin token", async () => {
  const { url, adminToken, digest } = stack;
  const { code, stdout } = await cli("--url", url, "--admin-token", adminToken, "--digest", digest);
  expect(stdout).toMatch(new RegExp(`^(ok .*\\n){${CHECKS}}.* is well\\n$`));
  expect(stdout).not.toContain(adminToken);
  expect(code).toBe(0);
});

it("works without the admin token, and says what it could not try", async () => {
  const checks = await smoke(new URL(stack.url));
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(checks.find(({ name }) => name === "ledger")?.detail).toContain("that needs --admin-token");
});

it("fails if the release is not the expected one, and still checks everything else", async () => {
  const { code, stdout } = await cli("--url", stack.url, "--digest", "0".repeat(64), "--wait", "0", "--json");
  const { ok, checks } = JSON.parse(stdout);
  expect(code).toBe(1);
  expect(ok).toBe(false);
  expect(checks).toHaveLength(CHECKS);
  expect(checks[0]).toMatchObject({ name: "release", ok: false, detail: expect.stringContaining(stack.digest) });
});

it("fails if something else answers", async () => {
  const server = createServer((_, response) => response.end("hello"));
  const port = await listening(server);
  onTestFinished(() => void server.close());
  const checks = await smoke(new URL(`http://127.0.0.1:${port}`));
  expect(checks.filter(({ ok }) => ok)).toEqual([]);
});

it("says what is wrong with its options", async () => {
  expect(await cli("--url", "example")).toMatchObject({ code: 1, stdout: expect.stringContaining("http:// or https") });
  expect(await cli()).toMatchObject({ code: 1, stdout: expect.stringContaining("--url <url>") });
});
