/**
 * `npm run promote` that is interrupted, between two updates and in one, with the real CLI: run again, it goes on to the
 * end.
 *
 * @module-tag nightly
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Terminal } from "../terminal.ts";
import { ADMIN_TOKENS, TwoAccounts } from "./two-accounts.ts";

/** In the smoke test of the first step. */
const BETWEEN = (text: string) => /\n0\.01 % /.test(text);
/** While the CLI sets its share. */
const WITHIN = (text: string) => /WorkersDeployment worker \S*creating/.test(text);

let two: TwoAccounts;
beforeAll(async () => {
  two = await TwoAccounts.start();
  two.soak(0);
  await release("first");
  expect(await again()).toMatchObject({ code: 0 });
});
afterAll(() => two?.close());

/** Builds a release, and lets staging serve it. */
async function release(name: string): Promise<void> {
  const file = "worker/http/health.ts";
  const other = two.copy.read(file).replace(/status: "ok",.*/, `status: "ok", ...({ name: "${name}" }),`);
  two.copy.write(file, other);
  await two.done("git commit -qam next && npm run -s build");
  await two.up("staging");
}

const line = (more = "") =>
  `npm run -s promote -- --from staging --to production --url ${two.urlOf("staging")} --to-url ${two.urlOf("production")} --yes ${more}`;
const env = () => ({ ADMIN_TOKEN: ADMIN_TOKENS.production, FROM_ADMIN_TOKEN: ADMIN_TOKENS.staging });
const again = (more?: string) => two.run(line(more), env());

/** Promotes, and sends a signal to all of it once it has printed that. Returns all that it printed. */
async function interrupted(
  at: (text: string) => boolean,
  signal: "SIGINT" | "SIGKILL",
  more?: string,
): Promise<string> {
  const isWithin = at === WITHIN;
  // Time for the signal, also on a busy machine. The call takes effect when that is over, whoever has gone.
  if (isWithin) await two.setFaults("production", "POST */deployments slow seconds=20");
  const child = two.in(two.copy).start(line(more), env());
  const terminal = new Terminal(child);
  const before = await terminal.printed(at);
  expect(at(before), before).toBe(true);
  if (isWithin) await expect.poll(() => two.pending("production"), { timeout: 18_000 }).toBe(1);
  if (child.pid === undefined) throw new Error("it has no process");
  process.kill(-child.pid, signal);
  const text = await terminal.printed(() => false);
  if (isWithin) await expect.poll(() => two.serving("production"), { timeout: 60_000 }).toHaveLength(2);
  return text;
}

const DONE = { code: 0, text: expect.stringMatching(/100 %[\s\S]*all well[\s\S]*has all traffic/) };

it("with Ctrl-C between two updates goes on with the same command", async () => {
  await release("between");
  const text = await interrupted(BETWEEN, "SIGINT");
  expect(text).toMatch(
    /Stopped while no update was under way\. The traffic stays as it is: .*--stack production\n.*same command/,
  );
  const { code, text: said } = await again();
  expect(said).toContain("0.01 %: goes on here");
  expect({ code, text: said }).toEqual(DONE);
  expect(await two.health("production")).toMatchObject({ name: "between" });
});

it("with Ctrl-C in an update goes on with the same command", async () => {
  await release("within");
  const text = await interrupted(WITHIN, "SIGINT");
  expect(text).toMatch(
    /\nInterrupted\. The update of production [\s\S]*\nRun the same command again to go on, or: npm run rollout -- abandon/,
  );
  expect(await again()).toEqual(DONE);
  expect(await two.health("production")).toMatchObject({ name: "within" });
});

it("and is killed between two updates goes on with the same command", async () => {
  await release("killed between");
  await interrupted(BETWEEN, "SIGKILL");
  expect(await again()).toEqual(DONE);
  expect(await two.health("production")).toMatchObject({ name: "killed between" });
});

it("and is killed in an update says what comes first, and goes on with the plan that was approved", async () => {
  await release("killed within");
  expect(await again("--save-plan dist/plan.json")).toMatchObject({ code: 0 });
  await interrupted(WITHIN, "SIGKILL", "--plan dist/plan.json");
  const { code, text } = await again("--plan dist/plan.json");
  expect(text).toMatch(/currently locked[\s\S]*was killed .*: pulumi cancel production\n[\s\S]*The update failed\./);
  expect(text).toMatch(/The traffic is as it was[\s\S]*Run the same command again to go on/);
  expect(code).toBe(1);
  await two.done("pulumi cancel production --yes");
  expect(await again("--plan dist/plan.json")).toEqual(DONE);
  expect(await two.health("production")).toMatchObject({ name: "killed within" });
});

it("and staging goes on meanwhile names the way out, after which the next release goes out", async () => {
  await release("left behind");
  await interrupted(BETWEEN, "SIGKILL");
  const behind = await two.done("git rev-parse HEAD");
  await release("next");
  await two.done(`git checkout -q ${behind.trim()} && npm run -s build`);
  const { code, text } = await again();
  expect(text).toMatch(/\[not_promoted\].*`npm run rollout -- abandon --stack .*`/);
  expect(code).toBe(1);
  await two.done("git checkout -q - && npm run -s build");
  expect((await again()).text).toContain("[rollout_unfinished]");
  await two.done("npm run -s rollout -- abandon --stack production --yes", env());
  // What a job of CI does not have: its checkout is a fresh one.
  await two.done("git checkout -q Pulumi.production.yaml");
  expect(await again()).toEqual(DONE);
  expect(await two.health("production")).toMatchObject({ name: "next" });
});
