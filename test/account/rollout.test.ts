/**
 * `npm run rollout -- run` on a local account with real traffic: a good release goes through its steps, a bad one goes
 * back by itself, and a run that was killed goes on where the account stands.
 */
import { cpSync, renameSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { connect, createServer as createWire } from "node:net";
import { join } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed, onTestFinished } from "vitest";
import { listening } from "../../packages/local-account/test/listening.ts";
import { setFaults as setFaultsOf } from "../../packages/local-account/test/support.ts";
import { underTraffic } from "../callers.ts";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";
import { WORKER } from "./local-stack.ts";
import { started } from "./started.ts";

/** Where requests go; they are as slow as a Worker that does some work. */
const HEALTH = "worker/http/health.ts";
const SETTINGS = "Pulumi.local.yaml";
/** Milliseconds of a release that is well: far more than a busy machine adds to them. */
const USUAL = 100;
const STEPS = [
  { percent: 0, smoke: true },
  { percent: 50, minutes: 0.25 },
  { percent: 100, smoke: true },
];
/** Together they ask some 100 times a second: enough for an analysis, and the processor is not theirs alone. */
const CALLERS = 16;

let project: ProjectCopy;
let terminal: Terminal;
let port: string;
let original: string | undefined;

beforeAll(async () => {
  project = new ProjectCopy();
  const settings = `  rolloutSteps: ${JSON.stringify(STEPS)}\n  rolloutAnalysis: { minRequests: 100, patienceMinutes: 0.1 }\n`;
  project.write(SETTINGS, project.read(SETTINGS) + settings);
  // No smoke test waits for the tokens that the one before it took.
  setCapacity(10_000);
  project.commit("v1");
  await build(USUAL);
  ({ terminal, port } = await started(project));
});
// What a test that failed leaves behind is not for the next one.
beforeEach(() =>
  onTestFailed(async () => {
    await setFaults();
    await rollout("abandon --yes");
  }),
);
afterAll(async () => {
  await terminal?.stop();
  project?.remove();
});

/** Builds a release whose `/health` takes so many milliseconds. `failing`: every so many requests, one fails. */
async function build(milliseconds: number, { failing = 0, name = "" } = {}): Promise<void> {
  original ??= project.read(HEALTH);
  const fault = failing > 0 ? ` if (++asked % ${failing} === 0) throw new Error("bad");` : "";
  const work = `async (c) => {\n  await scheduler.wait(${milliseconds});${fault} \n  c.header("X-Build", ${JSON.stringify(name)});\n`;
  project.write(HEALTH, `${original.replace("(c) => {\n", work)}\nlet asked = 0;\n`);
  expect(await project.run("npm run -s build")).toMatchObject({ code: 0 });
}

/** Lets a release lack its style, which the smoke test sees, until that is mended or the test is over. */
function breakStyle(): () => void {
  const file = "worker/page/routes.ts";
  const whole = project.read(file);
  const mend = () => project.write(file, whole);
  onTestFinished(mend);
  project.replace(file, "/page.css", "/page.sss");
  return mend;
}

/** Changes what the stack's file has, and has only once. */
function set(setting: RegExp, text: string): void {
  const before = project.read(SETTINGS);
  if (!setting.test(before)) throw new Error(`${SETTINGS} has no ${setting}`);
  project.write(SETTINGS, before.replace(setting, text));
}
const setSteps = (steps: string) => set(/rolloutSteps:.*/, `rolloutSteps: ${steps}`);
const setCapacity = (tokens: number) => set(/capacity: \d+,/, `capacity: ${tokens},`);

/** Does something while callers ask. */
const underLoad = <T>(work: () => Promise<T>) => underTraffic(`http://127.0.0.1:${port}/health`, CALLERS, work);

/** Makes calls of the account's API fail, from now on. */
const setFaults = (...faults: readonly string[]) =>
  setFaultsOf(runningAccount(join(project.root, ".local")) ?? { apiUrl: "", token: "" }, ...faults);

/** A proxy before the Worker that lets requests pass, lets them fail, or answers nothing. */
async function frontDoor(decide: (request: IncomingMessage) => "pass" | "fail" | "drop") {
  const server = createServer(async (request, response) => {
    const what = decide(request);
    if (what === "drop") return void response.destroy();
    if (what === "fail") return void response.writeHead(500).end();
    const headers = new Headers();
    for (const name of ["authorization", "cloudflare-workers-version-overrides"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    const answer = await fetch(`http://127.0.0.1:${port}${request.url}`, { headers });
    response.writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "text/plain" });
    response.end(await answer.text());
  });
  server.on("upgrade", (_, socket) => socket.destroy());
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${await listening(server)}`, [Symbol.asyncDispose]: close };
}

/** A wire to the Worker that tells what goes through it, and waits; it is cut where it is told so. */
async function wireTo(tell: (text: string) => Promise<"cut" | undefined>) {
  const server = createWire((caller) => {
    const worker = connect(Number(port), "127.0.0.1");
    worker.on("data", (chunk) => caller.write(chunk)).on("close", () => caller.destroy());
    worker.on("error", () => caller.destroy());
    caller.on("error", () => worker.destroy()).on("close", () => worker.destroy());
    caller.on("data", async (chunk) => {
      caller.pause();
      if ((await tell(chunk.toString("latin1"))) === "cut") return void caller.destroy();
      worker.write(chunk);
      caller.resume();
    });
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, [Symbol.asyncDispose]: async () => void server.close() };
}

/** A run in another terminal. It ends with the test, whatever became of that. */
function running(command: string): Terminal {
  const run = new Terminal(project.start(command, { detached: true }));
  onTestFinished(() => run.stop());
  return run;
}

const rollout = (words: string) => project.run(`npm run -s rollout -- ${words} --stack local`);
const serving = async () => (await rollout("status")).text;

describe("a rollout", () => {
  it("of a good release goes through all steps, and the next update changes nothing", async () => {
    await build(USUAL, { name: "as good" });
    // The three questions before the rollout begins are answered; then those of both versions fail, and one again. No other
    // source is asked: whether Cloudflare's metrics tell versions apart is not known.
    await setFaults("POST */telemetry/query 503 nth=4 times=7", "POST */graphql 500 times=1000");
    const { code, text } = await underLoad(() => rollout("run"));
    expect(text).toMatch(new RegExp(String.raw`The requests of ${WORKER} cannot be counted: .* 503.* Asked again\.\n`));
    expect(text).toMatch(
      /beside version 1[\s\S]*0\.01 %[\s\S]*all well[\s\S]*50 %[\s\S]*no worse[\s\S]*100 %[\s\S]*all well[\s\S]*has all traffic/,
    );
    expect(code).toBe(0);
    expect(await serving()).toContain("version 2 (");
    expect((await project.run("npm start -- --into .local")).text).toContain("nothing had changed");
    expect((await rollout("run")).text).toMatch(/has all traffic already[\s\S]*smoke test: \d+ checks, all well/);
  });

  it("of one that fails in one of ten requests goes back by itself, and the stack refuses it", async () => {
    await build(USUAL, { failing: 10 });
    const { code, text } = await underLoad(() => rollout("run"));
    expect(text).toMatch(/Worse: errors: [\d.]+ % of [\d,]+ requests/);
    expect(code).toBe(3);
    expect(await serving()).toMatch(/version 2 \(\w+\) 100 %[\s\S]*refused: [0-9a-f]{12}/);
    expect(await rollout("run")).toMatchObject({ code: 1, text: expect.stringContaining("--again") });
    const { code: planned, text: plan } = await project.run("npm start -- --into .local");
    expect([planned, plan]).toEqual([0, expect.stringContaining("version 2")]);
  });

  it("of one that takes four times as long goes back by itself", async () => {
    // Built before: a build takes the processor from the requests that are compared.
    const [release, another] = [join(project.root, "dist/release"), join(project.root, "dist/another")];
    await build(USUAL, { name: "built meanwhile" });
    cpSync(release, another, { recursive: true });
    await build(4 * USUAL);
    const text = await underLoad(async () => {
      const bad = running("node infra/commands/rollout.ts run --stack local || echo ended with $?");
      await bad.printed((said) => /\n50 %\n/.test(said));
      rmSync(release, { recursive: true });
      renameSync(another, release);
      return bad.printed(() => false);
    });
    const digest = /Release (\w+) of/.exec(text)?.[1] ?? "none";
    // The deployment says it, also where nobody keeps the file.
    const file = ".local/Pulumi.local.yaml";
    project.write(file, project.read(file).replace(/ {2}refusedReleases:.*\n/, ""));
    expect(await serving()).toMatch(new RegExp(`refused: .*${digest}`));
    // Which of both quantiles tells it is up to what else the machine does: 300 ms more for half of all requests hide one.
    expect(text, text).toMatch(
      /Worse: (50|90) % of its requests take up to \d+ ms, where the stable version takes \d+ ms/,
    );
    expect(text).toContain("ended with 3");
  });

  it("that was killed goes on where the account stands", async () => {
    await build(USUAL, { name: "killed" });
    // The step's time goes on while nobody watches it: they ask from its beginning.
    const { code, text } = await underLoad(async () => {
      const killed = running("exec node infra/commands/rollout.ts run --stack local");
      await killed.printed((said) => /\n50 %\n/.test(said));
      await killed.stop();
      expect(killed.text).toContain("The traffic stays as it is");
      expect(await serving()).toMatch(/50 %[\s\S]*step 2 of 3/);
      // What serves is shown where nobody can say what was counted of it.
      await setFaults("POST */telemetry/query 500 times=1000");
      expect(await serving()).toMatch(/50 %[\s\S]*\nThe requests of .* cannot be counted: .* 500/);
      await setFaults();
      // Whatever stops it says what stays, and how to go on.
      expect(await rollout("run --url http://127.0.0.1:9")).toMatchObject({
        code: 1,
        text: expect.stringMatching(
          /cannot judge[\s\S]*\n50 % of the traffic stay with the release\. Run.*abandon --stack local/,
        ),
      });
      return rollout("run");
    });
    expect(text).toContain("50 %: goes on here");
    expect(text).not.toContain("0.01 %");
    expect(code).toBe(0);
  });
});

describe("a rollout whose traffic something else changes", { tags: ["nightly"] }, () => {
  afterEach(() => rollout("abandon --yes"));

  it("stops, while it watches", async () => {
    await build(USUAL, { name: "watched" });
    const run = running("exec node infra/commands/rollout.ts run --stack local");
    await run.printed((said) => /\n50 %\n/.test(said));
    expect(await rollout("set 20 --yes")).toMatchObject({ code: 0 });
    expect(await run.printed(() => false)).toMatch(
      /Something else has changed the traffic of local: this rollout had given the release 50 %, and now it is .* 20 %/,
    );
    expect(await serving()).toContain("20 %");
  });

  it("stops before its next step", async () => {
    await build(USUAL, { name: "moved" });
    let stable: string | undefined;
    let moving: Promise<unknown> | undefined;
    await using wire = await wireTo(async (text) => {
      const [, asked] = /version-overrides: *(\S+)/i.exec(text) ?? [];
      if (asked === undefined) return undefined;
      stable ??= asked;
      // The smoke test of the first step has begun.
      if (asked !== stable) moving ??= rollout("set 20 --yes");
      await moving;
      return undefined;
    });
    const { code, text } = await rollout(`run --url ${wire.url}`);
    expect(await moving).toMatchObject({ code: 0 });
    expect(text).toMatch(
      /all well\nSomething else has changed the traffic of local: .* 0\.01 %, and now it is .* 20 %/,
    );
    expect(code).toBe(1);
    expect(await serving()).toContain("20 %");
  });
});

describe("a rollout without traffic", () => {
  afterEach(() => rollout("abandon --yes"));

  it("stops where it is, because nothing is known", async () => {
    await build(USUAL, { name: "nobody asks" });
    const { code, text } = await rollout("run");
    expect(text).toMatch(/Not enough is known: \d+ requests of the new version/);
    expect(code).toBe(4);
    expect(await serving()).toContain("50 %");
  });
});

it("a trial that was left behind ends with abandon", { tags: ["nightly"] }, async () => {
  await build(USUAL, { name: "tried" });
  const file = ".local/Pulumi.local.yaml";
  const before = project.read(file);
  project.write(file, before.replace(/rollout: \d+/, "rollout: 0\n  rolloutTrial: true"));
  expect((await project.run("npm start -- --into .local")).text).toContain("0.01 %");
  expect(await rollout("abandon --yes")).toMatchObject({ code: 0 });
  expect(await serving()).not.toContain("0.01 %");
});

it("a release that its smoke test refuses meets no user", async () => {
  breakStyle();
  await build(USUAL, { name: "without a style" });
  const { code, text } = await rollout("run");
  expect(text).toMatch(/0\.01 %[\s\S]*smoke test: \d of \d+ checks failed[\s\S]*Worse: the smoke test failed/);
  expect(code).toBe(3);
  expect(text).not.toContain("50 %");
});

it("a release that has all traffic and fails the last smoke test goes back, however it came there", {
  tags: ["nightly"],
}, async () => {
  const file = ".local/Pulumi.local.yaml";
  const before = project.read(file);
  // Without the pin the next update ends it.
  onTestFailed(() => project.write(file, before));
  const serves = /version (\d+) \(\w+\) 100 %/.exec(await serving())?.[1] ?? "none";
  project.write(file, before.replace(/ {2}rollout: 0\n/, ""));
  const mend = breakStyle();
  await build(USUAL, { name: "slipped in" });
  expect(await project.run("npm start -- --into .local")).toMatchObject({ code: 0 });
  const { code, text } = await rollout("run");
  expect(text).toMatch(/has all traffic already[\s\S]*checks failed[\s\S]*Worse: the smoke test failed/);
  expect(text).toContain(`local is pinned to version ${serves} until`);
  expect(code).toBe(3);
  expect(await serving()).toMatch(new RegExp(`version ${serves} \\(\\w+\\) 100 %; pinned`));
  project.write(file, before);
  // Without the pin's file, as in CI, the account still keeps that release out, and the next one goes on.
  expect((await rollout("run")).text).toMatch(/refused_release/);
  expect(await serving()).toMatch(new RegExp(`version ${serves} \\(\\w+\\) 100 %; pinned`));
  mend();
  await build(USUAL, { name: "mended" });
  expect((await rollout("run")).text).toMatch(/this update ends it[\s\S]*50 %/);
  expect(await rollout("abandon --yes")).toMatchObject({ code: 0 });
});

it("a setting that is bad goes back, and the release that serves is not refused", { tags: ["nightly"] }, async () => {
  await build(USUAL, { name: "good, with another setting" });
  setSteps("[{ percent: 0, smoke: true }, { percent: 100 }]");
  expect(await rollout("run")).toMatchObject({ code: 0 });
  setCapacity(12_000);
  // As if the setting kept the Worker from changing anything.
  await using reader = await frontDoor(({ method }) => (method === "GET" ? "pass" : "fail"));
  const { code, text } = await rollout(`run --url ${reader.url}`);
  expect(text).toMatch(/0\.01 %[\s\S]*checks failed[\s\S]*the settings or the secrets of local made the difference/);
  expect(code).toBe(3);
  // Another setting, which is as good: it goes out with the release that serves.
  setCapacity(15_000);
  expect(await rollout("run")).toMatchObject({ code: 0 });
});

describe("a smoke test that can judge nothing", { tags: ["nightly"] }, () => {
  beforeAll(async () => {
    setSteps("[{ percent: 0 }, { percent: 100 }]");
    await build(USUAL, { name: "serving" });
    expect(await rollout("run")).toMatchObject({ code: 0 });
  });
  const untouched = async (words: string, why: RegExp) => {
    const before = await serving();
    const { code, text } = await rollout(`run ${words}`);
    expect([code, text]).toEqual([1, expect.stringMatching(why)]);
    expect(await serving()).toBe(before);
  };
  const WRONG = [
    [
      "of a mistyped address",
      "--url http://127.0.0.1:9",
      /cannot judge anything. http:\/\/127.0.0.1:9\/: GET \/health is not/,
    ],
    ["of a wrong admin token", "--admin-token not-the-token-of-this-stack", /with the admin token is answered 401/],
  ] as const;

  it.each(WRONG)("because %s moves no traffic away from a release that has it all", async (_, words, why) => {
    setSteps("[{ percent: 0 }, { percent: 100, smoke: true }]");
    await untouched(words, why);
  });

  it.each(WRONG)("because %s begins no rollout", async (_, words, why) => {
    setSteps("[{ percent: 0, smoke: true }, { percent: 100 }]");
    await build(USUAL, { name: "not judged" });
    await untouched(words, why);
  });

  it("because nothing answers any more leaves the traffic as it is, and refuses no release", async () => {
    setSteps("[{ percent: 0, smoke: true }, { percent: 100 }]");
    await build(USUAL, { name: "not answered" });
    let stable: unknown;
    let isDead = false;
    await using door = await frontDoor(({ headers }) => {
      const asked = headers["cloudflare-workers-version-overrides"];
      stable ??= asked;
      isDead ||= asked !== stable;
      return isDead ? "drop" : "pass";
    });
    const { code, text } = await rollout(`run --url ${door.url}`);
    expect(text).toMatch(/Not enough is known: in the smoke test nothing answered.*0\.01 % stay as they are.*abandon/);
    expect(code).toBe(4);
    const digest = /\nRelease (\w+) of/.exec(`\n${text}`)?.[1] ?? "none";
    expect(await serving()).toMatch(new RegExp(`${digest}\\) 0.01 %`));
    expect(await serving()).not.toContain(`refused: ${digest}`);
    // A single lost request takes no release back.
    let lost = 1;
    await using wire = await wireTo(async (request) =>
      request.startsWith("GET /page.css") && lost-- > 0 ? "cut" : undefined,
    );
    expect(await rollout(`run --url ${wire.url}`)).toMatchObject({
      code: 0,
      text: expect.stringMatching(/0\.01 %: goes on here[\s\S]*all well[\s\S]*has all traffic/),
    });
    expect(lost).toBeLessThan(1);
  });
});
