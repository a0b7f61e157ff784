/**
 * `npm run up|preview -- --stack local` to the end, with the real CLI, in a copy of the project, as a person runs it.
 * The language host and the provider are stand-ins.
 */
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { takesToken } from "../admin-token.ts";
import { type Ended, ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";
import { Ground } from "./ground.ts";

const Running = v.pipe(v.string(), v.parseJson(), v.object({ port: v.number() }));

let copy: ProjectCopy;
/** Its backend is the user's own, which the stack local must not use. */
let ground: Ground;
let account: ReturnType<ProjectCopy["start"]> | undefined;
let port: number;

beforeAll(async () => {
  ground = await Ground.make();
  // A folder may have such a name, which is not spelled so in a URL.
  copy = new ProjectCopy(undefined, "C# 50%25 (new?)");
  copy.bindAsShipped();
  const built = await copy.run("npm run -s build");
  expect(built.code, built.text).toBe(0);
});
afterAll(async () => {
  if (account && account.exitCode === null && account.signalCode === null) {
    const ended = once(account, "close");
    account.kill("SIGTERM");
    await ended;
  }
  copy?.remove();
  ground?.remove();
});

/** Runs a command in the copy, with the CLI on the PATH. */
function run(command: string, more: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return copy.run(...ground.command(copy, command, more));
}

/** Runs a command that must succeed, and returns all that it printed. */
async function done(command: string): Promise<string> {
  const { code, text } = await run(command);
  expect(code, text).toBe(0);
  return text;
}

const ask = async (path: string): Promise<unknown> => (await fetch(`http://127.0.0.1:${port}${path}`)).json();

/** Whether the Worker takes this admin token. */
const takes = (token: string) => takesToken(`http://127.0.0.1:${port}`, token);

describe("the stack local and the real CLI", () => {
  it("without an account, say how to start one, and suggest nothing that loses data", async () => {
    const { code, text } = await run("npm run -s up -- --stack=local --yes");
    expect(code).toBe(1);
    expect(text).toContain("Start one in another terminal: npm run account");
    expect(text).not.toContain("fresh");
    expect(text).not.toMatch(/\n\s+at /);
  });

  it("a line without a stack is refused", async () => {
    const { code, text } = await run("npm run -s up -- --yes");
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining("Which stack?") });
  });

  it("preview, up, and up again: the second changes nothing", async () => {
    account = copy.start("exec node infra/commands/start.ts account --port 0 --api-port 0 --json");
    for await (const line of createInterface({ input: account.stdout })) {
      port = v.parse(Running, line).port;
      break;
    }
    // What its Worker logs later must not fill the pipe.
    account.stdout.resume();
    const before = copy.read("Pulumi.local.yaml");
    const preview = await done("npm run -s preview -- --stack=local");
    expect(preview).toMatch(/fresh, to \d{4}-[\s\S]*7 to create/);
    // An address that Cloudflare has not given yet is unknown, which is not the same as no address.
    expect(preview).toMatch(/ api *: \[unknown\]/);
    // What a terminal for production has.
    const exported = { ADMIN_TOKEN: "production-token-of-an-admin", ADMIN_TOKEN_PREVIOUS: "older-token-of-an-admin" };
    const up = await run("npm run -s up -- --yes -s local", exported);
    expect(up).toMatchObject({ code: 0, text: expect.stringContaining("7 created") });
    const own = copy.read(".local/admin-token").trim();
    expect(await Promise.all([own, ...Object.values(exported)].map(takes))).toEqual([true, false, false]);
    expect(await ask("/health")).toMatchObject({ status: "ok" });
    const began = performance.now();
    const again = await done("npm run -s up -- --yes --stack local --skip-preview");
    console.info(`npm run up that changes nothing: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(again).toContain("7 unchanged");
    expect(copy.read("Pulumi.local.yaml")).toBe(before);
    expect(readdirSync(ground.backend)).toEqual([]);
    expect(readdirSync(join(copy.root, ".local/pulumi"))).toContain(".pulumi");
  });

  it("an edit of Pulumi.local.yaml counts, a rollback is kept, and --unpin ends it", async () => {
    copy.replace("Pulumi.local.yaml", "capacity: 100", "capacity: 99");
    expect(await done("npm run -s up -- --yes --stack local --skip-preview")).toMatch(/\+ *\d+ created|\+-|replaced/);
    expect(await serving()).toBe(2);
    expect(await done("npm run -s rollback -- --stack local --yes")).toContain("Version 1 has all traffic");
    expect(await done("npm run -s preview -- --stack local")).toContain("7 unchanged");
    expect(await done("npm run -s rollback -- --stack local --unpin --yes")).toContain("not pinned any more");
    expect(await serving()).toBe(2);
    expect(copy.read("Pulumi.local.yaml")).toContain("capacity: 99");
  });

  it("with its backend gone, the next update takes over what the account has", async () => {
    rmSync(join(copy.root, ".local/pulumi"), { recursive: true });
    expect(await done("npm run -s up -- --yes --stack local --skip-preview")).toContain("3 imported");
    expect(await done("npm run -s up -- --yes --stack local --skip-preview")).toContain("7 unchanged");
  });

  it("an update that Ctrl-C interrupts ends in order: it leaves no lock, and the next one completes it", async () => {
    copy.replace("Pulumi.local.yaml", "capacity: 99", "capacity: 98");
    const [line, options] = ground.command(copy, "npm run -s up -- --yes --stack local --skip-preview");
    const terminal = new Terminal(copy.start(line, { ...options, detached: true }));
    // Before the program runs, the CLI may still load its plugins, and a signal then ends it in another way.
    await terminal.printed((text) => /pulumi:pulumi:Stack \S+ running|creating/.test(text));
    // With the account stopped, the update cannot end before the signal.
    account?.kill("SIGSTOP");
    const ended = terminal.stop();
    await terminal.printed((text) => text.includes("^C received"));
    account?.kill("SIGCONT");
    await ended;
    expect(terminal.text).toMatch(/\^C received; cancelling[\s\S]*\nInterrupted\. The update of local /);
    const locks = join(copy.root, ".local/pulumi/.pulumi/locks");
    expect(readdirSync(locks, { recursive: true }).filter((name) => String(name).endsWith(".json"))).toEqual([]);
    await done("npm run -s up -- --yes --stack local --skip-preview");
    expect(await done("npm run -s up -- --yes --stack local --skip-preview")).toContain("7 unchanged");
  });

  it("an encrypted setting is reported, with the fix", async () => {
    const before = copy.read("Pulumi.local.yaml");
    copy.write("Pulumi.local.yaml", `${before}  adminToken:\n    secure: v1:abc:def\n`);
    const { code, text } = await run("npm run -s preview -- --stack local");
    copy.write("Pulumi.local.yaml", before);
    expect(code).toBe(1);
    expect(text).toMatch(/Pulumi\.local\.yaml: adminToken cannot be decrypted here.*Fix: /);
  });
});

/** The number of the version that has all traffic. */
async function serving(): Promise<number | undefined> {
  const { text } = await run("npm run -s rollback -- --stack local --list");
  const number = /^(\d+) .*100 %/m.exec(text)?.[1];
  return number === undefined ? undefined : Number(number);
}

describe("a Node that cannot run TypeScript", () => {
  it("gets one sentence, and the exit code by which Pulumi adds nothing to it", async () => {
    const { code, text } = await run("node --no-experimental-strip-types infra/index.mjs");
    expect(text.trim().split("\n")).toEqual([
      expect.stringMatching(/^The program needs Node 24 or later, .* is v24.*npm run preview -- --stack S/),
    ]);
    const pulumi = createRequire(import.meta.url).resolve("@pulumi/pulumi/cmd/run/index.js");
    expect(readFileSync(pulumi, "utf8")).toContain(`nodeJSProcessExitedAfterLoggingUserActionableMessage = ${code};`);
  });
});
