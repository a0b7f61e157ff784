/** `npm start` and `npm run account` under a supervisor, which knows and ends only npm's process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { isAlive } from "../../packages/local-account/test/processes.ts";

const Address = v.object({ port: v.number(), apiPort: v.number(), pid: v.number() });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "npm-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const PATH = [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter);
const ACCOUNT = ["--port", "0", "--api-port", "0", "--json"];

/** Processes that a test has started and not ended, so that a failed test leaves nothing running. */
const begun = new Set<{ kill(signal: NodeJS.Signals): boolean }>();
afterEach(() => {
  for (const child of begun) child.kill("SIGKILL");
  begun.clear();
});

/** Runs npm, and returns it once the command has printed its line of JSON. */
async function npm(...args: string[]): Promise<ChildProcess> {
  const child = spawn("npm", args, { cwd: ROOT, env: { ...process.env, PATH }, stdio: ["ignore", "pipe", "inherit"] });
  begun.add(child);
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) return child;
  }
  throw new Error(`npm ${args.join(" ")} ended before it was ready`);
}

/** Resolves once nothing answers at a port any more. An open connection ends with the account. */
async function closed(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const refused = await once(socket, "connect").then(
      () => false,
      () => true,
    );
    if (refused) return;
    // A connection that the system had taken and the account had not ends with an error.
    await once(socket, "close").catch(() => {});
  }
}

// An INT to npm alone ends nothing: npm passes it to its shell, which waits. Ctrl-C reaches all of them.
describe("a signal to npm alone", () => {
  it.each(["SIGTERM", "SIGHUP", "SIGKILL"] as const)("ends the account cleanly on %s", async (signal) => {
    const child = await npm("run", "account", "--", "--dir", dir, ...ACCOUNT);
    const file = join(dir, "account.json");
    const { port, apiPort, pid } = v.parse(Address, JSON.parse(readFileSync(file, "utf8")));
    child.kill(signal);
    await Promise.all([closed(port), closed(apiPort)]);
    await expect.poll(() => isAlive(pid)).toBe(false);
    // Only a clean close removes it.
    expect(() => readFileSync(file)).toThrow("ENOENT");
  });

  it("ends npm start after the program was applied; the next start finds the data", async () => {
    const child = await npm("start", "--", "--dir", dir, ...ACCOUNT);
    const { port, pid } = v.parse(Address, JSON.parse(readFileSync(join(dir, "account.json"), "utf8")));
    child.kill("SIGKILL");
    await closed(port);
    await expect.poll(() => isAlive(pid)).toBe(false);
    const next = await npm("start", "--", "--dir", dir, ...ACCOUNT);
    const address = v.parse(Address, JSON.parse(readFileSync(join(dir, "account.json"), "utf8")));
    next.kill("SIGTERM");
    await closed(address.port);
  });

  it("does not end with the shell that put npm into the background", async () => {
    const script = `npm run account -- --dir ${dir} ${ACCOUNT.join(" ")} > ${dir}/log 2>&1 & echo $!`;
    const shell = spawn("bash", ["-c", script], { cwd: ROOT, env: { ...process.env, PATH }, stdio: "pipe" });
    let npmId = "";
    shell.stdout.on("data", (chunk) => {
      npmId += chunk;
    });
    await once(shell, "close");
    expect(npmId).toMatch(/^\d+\n$/);
    const background = { kill: (signal: NodeJS.Signals) => process.kill(Number(npmId), signal) };
    begun.add(background);
    const file = join(dir, "account.json");
    await expect.poll(() => read(file)).not.toBe("");
    const { port, pid } = v.parse(Address, JSON.parse(read(file)));
    // Four times as long as the account needs to notice an end.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(isAlive(pid)).toBe(true);
    begun.delete(background);
    background.kill("SIGTERM");
    await closed(port);
  });
});

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
