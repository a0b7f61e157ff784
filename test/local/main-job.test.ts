/** `npm start` as a person runs it: all patterns answer, and after a restart the data is still there. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { smoke } from "../../infra/smoke/smoke.ts";
import { listening } from "../../packages/local-account/test/listening.ts";
import { freePort } from "../free-port.ts";
import { keep } from "../kept.ts";
import { scratch } from "../scratch.ts";

const Ready = v.object({
  apiUrl: v.string(),
  accountId: v.string(),
  token: v.string(),
  adminToken: v.string(),
  port: v.number(),
});
type Ready = v.InferOutput<typeof Ready>;

const dir = scratch();

/** Processes that a test has started, so that a failed test leaves nothing running. */
const begun = new Set<ChildProcess>();
afterEach(() => {
  for (const child of begun) child.kill("SIGKILL");
  begun.clear();
});

function bare(...options: string[]) {
  const args = [join(ROOT, "infra/commands/start.ts"), ...options];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  begun.add(child);
  return child;
}
const command = (...options: string[]) => bare(...options, "--dir", dir);

/** Starts it, and waits for the line with the addresses. */
async function start(...options: string[]): Promise<{ child: ChildProcess; ready: Ready; url: string }> {
  const port = options.includes("--port") ? [] : ["--port", "0"];
  const child = command("start", ...port, "--api-port", "0", "--json", ...options);
  let words = "";
  child.stderr.on("data", (chunk) => {
    words += chunk;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"urls"')) continue;
    const ready = v.parse(Ready, JSON.parse(line));
    // Nobody reads the Worker's log from here on, but it must not fill the pipe.
    child.stdout.resume();
    return { child, ready, url: `http://127.0.0.1:${ready.port}` };
  }
  throw new Error(`npm start ended before it was ready:\n${words}`);
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
  const ended = once(child, "exit");
  child.kill(signal);
  const [code] = await ended;
  return typeof code === "number" ? code : null;
}

/** The command's output and exit code. */
async function result(child: ReturnType<typeof command>): Promise<{ code: unknown; text: string }> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  const [code] = await once(child, "close");
  return { code, text };
}

describe("npm run account", () => {
  it("ends on a Ctrl-C right after the line that it is ready", async () => {
    // Several times, because a signal would be lost only rarely.
    for (let round = 0; round < 4; round++) {
      const child = command("account", "--port", "0", "--api-port", "0", "--json");
      const ended = once(child, "exit");
      child.stdout.once("data", () => child.kill("SIGINT"));
      expect(await ended).toEqual([0, null]);
    }
  });

  it("says what is wrong where it cannot close in order, and not that it was never ready", async () => {
    // As on a disk that is damaged.
    const broken = `import sqlite from "node:sqlite";
      sqlite.DatabaseSync.prototype.close = () => { throw Object.assign(new Error("disk I/O error"), { code: "EIO" }); };`;
    process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(broken)}`;
    onTestFinished(() => void delete process.env.NODE_OPTIONS);
    const child = command("account", "--port", "0", "--api-port", "0", "--json");
    child.stdout.once("data", () => child.kill("SIGINT"));
    const { code, text } = await result(child);
    expect([code, text]).toEqual([1, expect.stringContaining("the disk does not work (disk I/O error)")]);
    expect(text).not.toContain("Interrupted");
  });
});

describe("npm start", () => {
  it("serves all patterns, ends on Ctrl-C, and keeps its data, also after kill -9", async () => {
    const samePort = ["--port", String(await freePort())];
    const first = await start(...samePort);
    const checks = await smoke(new URL(first.url), { adminToken: first.ready.adminToken });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    const kept = await keep(first.ready);
    expect(await stop(first.child)).toBe(0);

    const second = await start(...samePort);
    expect(second.ready).toMatchObject({
      accountId: first.ready.accountId,
      token: first.ready.token,
      adminToken: first.ready.adminToken,
    });
    await kept.stays();
    await stop(second.child, "SIGKILL");

    const third = await start(...samePort);
    await kept.stays();
    expect(await stop(third.child)).toBe(0);

    const anew = await start(...samePort, "--fresh");
    await kept.isMissing();
    expect(await stop(anew.child)).toBe(0);
    // Where nothing answers, nothing says that data is missing.
    await expect(kept.isMissing()).rejects.toThrow("fetch failed");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("that %s ends in the middle of its deployment says so, and what completes it", async (signal, code) => {
    const own = mkdtempSync(join(tmpdir(), "main-job-"));
    onTestFinished(() => rmSync(own, { recursive: true, force: true }));
    const options = ["start", "--dir", own, "--port", "0", "--api-port", "0"];
    const child = bare(...options);
    const ended = result(child);
    let seen = "";
    child.stdout.on("data", (chunk) => {
      const isSent = seen.includes("\naccount ");
      seen += chunk;
      // The account runs, and the deployment to it has begun.
      if (!isSent && seen.includes("\naccount ")) child.kill(signal);
    });
    const { code: is, text } = await ended;
    expect(is, text).toBe(code);
    expect(text).toContain(
      "Interrupted before it was ready. What the deployment had done by then is kept; to complete it:",
    );
    expect(text).toMatch(/ npm start -- --dir \S+\n/);
  });

  it("deploys into a folder's running account, which goes on running, and says if none runs", async () => {
    const { child, ready, url } = await start();
    const into = (folder: string, ...options: string[]) => result(command("start", "--into", folder, ...options));
    const again = await into(dir, "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.text)).toMatchObject({ apiUrl: ready.apiUrl, adminToken: ready.adminToken });
    expect((await into(dir)).text).toContain("nothing had changed");
    // The state belongs to the running account, so the same state is found without --dir.
    const found = await result(bare("start", "--into", dir));
    expect(found.text).toContain("nothing had changed");
    expect(found.text).toContain(ready.adminToken);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    for (const option of ["--fresh", "--direct", "--no-crons", "--no-cpu-limit"]) {
      expect(await into(dir, option)).toMatchObject({ code: 1, text: expect.stringContaining(option) });
    }
    // A variable of the shell's is for the next account that starts.
    process.env.DURABLE_STACK_PORT = "9000";
    onTestFinished(() => void delete process.env.DURABLE_STACK_PORT);
    expect((await into(dir)).text).toContain("nothing had changed");
    for (const option of ["--port", "--api-port"]) {
      const refused = `option '--into <folder>' cannot be used with option '${option} <port>'`;
      expect(await into(dir, option, "9000")).toMatchObject({ code: 1, text: expect.stringContaining(refused) });
    }
    // Another state would take the Worker over, with another admin token.
    expect(await result(bare("start", "--into", dir, "--dir", join(dir, "another")))).toMatchObject({
      code: 1,
      text: expect.stringContaining("has this project's state of its account"),
    });
    await stop(child);
    expect(await into(dir)).toMatchObject({
      code: 1,
      text: expect.stringContaining("no local account runs (looked in"),
    });
    const nowhere = join(dir, "nowhere");
    expect(await into(nowhere)).toMatchObject({
      code: 1,
      text: expect.stringContaining(`no local account runs (the folder ${nowhere} does not exist)`),
    });
  });

  it.each(["start", "account"])("%s names every port that is in use, and leaves nothing behind", async (name) => {
    const servers = [createServer(), createServer()] as const;
    const [port, apiPort] = [String(await listening(servers[0])), String(await listening(servers[1]))];
    const folder = join(dir, "never-made");
    const ended = await result(bare(name, "--port", port, "--api-port", apiPort, "--dir", folder));
    for (const server of servers) server.close();
    expect(ended).toEqual({
      code: 1,
      text:
        `Port ${port} is in use. Choose another with --port, or 0 for any free one.\n` +
        `Port ${apiPort} is in use. Choose another with --api-port, or 0 for any free one.\n`,
    });
    expect(existsSync(folder)).toBe(false);
  });

  it.each(["start", "account"])("%s ends with a sentence where no folder can be made", async (name) => {
    const { code, text } = await result(bare(name, "--port", "0", "--api-port", "0", "--dir", "/proc/x/y"));
    expect({ code, text }).toEqual({ code: 1, text: expect.stringMatching(/^.*\/proc\/x\b.* cannot be [^\n]*\n$/s) });
  });

  it("names a wrong option, and says what env needs", async () => {
    expect(await result(command("account", "--port", "many"))).toMatchObject({
      code: 1,
      text: expect.stringContaining("0 to 65535"),
    });
    expect(await result(command("account", "env"))).toMatchObject({
      code: 1,
      text: expect.stringContaining("npm run account"),
    });
  });
});
