/** Commands that run the Pulumi CLI: signals on their way to it, and updates whose account cannot be asked. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { constants as system } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { listening } from "../../packages/local-account/test/listening.ts";
import { ProjectCopy } from "../project-copy.ts";
import { scratch } from "../scratch.ts";
import { script } from "./own-process.ts";

const dir = scratch();

/** Stands in for the Pulumi CLI: asked to end by a signal it takes a second for it, and notes what it gets and does. */
const CLI = `#!/bin/sh
trap 'echo INT >> "$NOTES"; asked=yes' INT
trap 'echo TERM >> "$NOTES"; asked=yes' TERM
echo began >> "$NOTES"
echo "Updating (staging)"
while [ -z "$asked" ]; do sleep 0.05; done
sleep 1
echo "Resources:"
echo "error: update canceled" >&2
echo ended >> "$NOTES"
exit "$CODE"
`;

/** What a shell makes of an end: npm ends itself by the signal that has ended its script. */
const statusOf = ({ exitCode, signalCode }: ChildProcess) =>
  signalCode === null ? exitCode : 128 + system.signals[signalCode];

/** Whether the process has ended whose number is in this file, once there is one. */
function isGone(file: string): boolean {
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (pid === 0) return false;
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

describe("a command that waits for the Pulumi CLI", () => {
  const bin = mkdtempSync(join(dir, "bin-"));
  writeFileSync(join(bin, "pulumi"), CLI, { mode: 0o755 });
  const npm = (...words: string[]) => ["npm", "run", "-s", ...words];
  const pulumi = (...words: string[]) => [process.execPath, join(ROOT, "infra/commands/pulumi.ts"), ...words];
  const rollout = () =>
    script(
      dir,
      "rollout.mjs",
      `import { update } from "infra/apply/update.ts";
       import { orFail } from "infra/commands/command.ts";
       import { stopBetweenUpdates } from "infra/commands/rollout-end.ts";
       await orFail(async () => {
         stopBetweenUpdates("staging", ".local");
         await update("staging", ".local");
         console.log("the next step");
       });`,
    );

  /** Starts it in a process group of its own, and signals once the CLI runs. What is noted at the command's end. */
  async function signalled(
    [program = "", ...args]: readonly string[],
    { signal = "SIGINT", to = "all", ends = 255 }: { signal?: NodeJS.Signals; to?: "all" | "it"; ends?: number } = {},
  ) {
    const notes = join(mkdtempSync(join(dir, "notes-")), "notes");
    const path = [bin, dirname(process.execPath), process.env.PATH].join(delimiter);
    const env = { ...process.env, PATH: path, NOTES: notes, CODE: String(ends) };
    const child = spawn(program, args, { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    // At the exit, and not when the last program has closed the output: that may be one which outlives the command.
    const exited = once(child, "exit").then(() => ({
      status: statusOf(child),
      notes: readFileSync(notes, "utf8").split("\n"),
    }));
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
    await once(child.stdout, "data");
    const pid = child.pid ?? 0;
    process.kill(to === "all" ? -pid : pid, signal);
    const [{ status, notes: noted }] = await Promise.all([exited, once(child, "close")]);
    return { status, notes: noted.filter(Boolean), text };
  }

  it.each([
    ["npm run up", () => npm("up", "--", "--stack", "staging"), /interrupted[\s\S]*rollout -- status[\s\S]*run up/i],
    ["npm run preview", () => npm("preview", "--", "--stack", "staging"), /A preview changes nothing/],
    ["a rollout", rollout, /ended before it was complete[\s\S]*status --stack staging[\s\S]*run up -- --stack staging/],
  ] as const)("outlives it on Ctrl-C, which it gets once, and says what is true: %s", async (_, line, words) => {
    const { status, notes, text } = await signalled(line());
    expect(notes).toEqual(["began", "INT", "ended"]);
    expect(status).toBe(130);
    expect(text).toMatch(words);
    expect(text).not.toMatch(/stays as it is|the next step|The update failed/);
  });

  it("outlives a reader of its output that the same Ctrl-C ends", async () => {
    const line = pulumi("up", "--stack", "staging").join(" ");
    const { notes, text } = await signalled(["sh", "-c", `${line} | cat`]);
    expect(text).not.toContain("Resources:");
    expect(notes).toEqual(["began", "INT", "ended"]);
  });

  it.each([
    ["at Ctrl-C", "SIGINT", 130],
    ["at a wish to end", "SIGTERM", 143],
  ] as const)(
    "outlives a reader of its output that takes its time, and says what is true %s",
    async (_, signal, code) => {
      const own = mkdtempSync(join(dir, "paged-"));
      const [pipe, pid] = [join(own, "pipe"), join(own, "pid")];
      // More than a pipe holds, and less than the pipes of two programs do.
      const printing = '#!/bin/sh\nhead -c 72000 /dev/zero | tr "\\0" .\necho $$ > "$ENDS"\n';
      writeFileSync(join(own, "pulumi"), printing, { mode: 0o755 });
      spawnSync("mkfifo", [pipe]);
      const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
      const output = openSync(pipe, "w");
      const [program = "", ...args] = rollout();
      const env = { ...process.env, PATH: [own, process.env.PATH].join(delimiter), ENDS: pid };
      const child = spawn(program, args, { env, stdio: ["ignore", output, "pipe"] });
      closeSync(output);
      let text = "";
      child.stderr?.on("data", (chunk) => (text += String(chunk)));
      const ended = once(child, "close");
      // It has ended, and the command has taken note: no process is left of it.
      await expect.poll(() => isGone(pid), { timeout: 20_000 }).toBe(true);
      child.kill(signal);
      closeSync(reader);
      expect(await ended, text).toEqual([code, null]);
      expect(text).toMatch(/Interrupted\. The update of staging was complete/);
    },
  );

  it("says that the update is complete where it was", async () => {
    const { status, text } = await signalled(rollout(), { ends: 0 });
    expect(status).toBe(130);
    expect(text).toMatch(/Interrupted\. The update of staging was complete/);
    expect(text).not.toContain("the next step");
  });

  it.each([
    // `kill`, and `timeout`.
    ["SIGTERM", "it", "TERM", 143],
    ["SIGTERM", "all", "TERM", 143],
    ["SIGINT", "it", "INT", 130],
    ["SIGHUP", "it", "TERM", 129],
    // A terminal that closes.
    ["SIGHUP", "all", "TERM", 129],
  ] as const)("gives it %s to %s once, as %s", async (signal, to, got, code) => {
    const { status, notes } = await signalled(pulumi("up", "--stack", "staging"), { signal, to });
    expect({ notes, status }).toEqual({ notes: ["began", got, "ended"], status: code });
  });
});

it("a program writes for itself where no process or no descriptor is left for one in between", () => {
  const [program = "", ...args] = script(
    dir,
    "alone.mjs",
    `import { closeSync, openSync } from "node:fs";
     import { LastingOutput } from "infra/apply/lasting-output.ts";
     const taken = [];
     const full = () => { try { for (;;) taken.push(openSync("/dev/null")); } catch (error) { return error.code; } };
     const told = {};
     const path = process.env.PATH;
     const noShell = () => { process.env.PATH = ""; return "ENOENT"; };
     for (const begin of [noShell, full]) {
       const output = new LastingOutput();
       told[begin()] = [output.of(1), output.of(1)];
       process.env.PATH = path;
       for (const one of taken.splice(0)) closeSync(one);
       await output.passedOn();
     }
     console.log(JSON.stringify(told));`,
  );
  const { stdout, stderr } = spawnSync("sh", ["-c", 'ulimit -n 128; exec "$@"', "sh", program, ...args], {
    encoding: "utf8",
  });
  expect([stdout.trim(), stderr]).toEqual(['{"ENOENT":["inherit","inherit"],"EMFILE":["inherit","inherit"]}', ""]);
});

describe("an update that the CLI refuses", () => {
  it.each([
    ["of which nobody knows why", 1, /^Where the stack is locked, .*: pulumi cancel staging\n$/],
    ["where nobody is logged in", 3, /^$/],
    [
      "because its backend has no such stack",
      6,
      /^Where staging was never made: `pulumi stack init staging`\. Else see that the CLI is led .*recover\.md\n$/,
    ],
  ])("says what to do about it: %s", (_, code, words) => {
    const bin = mkdtempSync(join(dir, "bin-"));
    writeFileSync(join(bin, "pulumi"), `#!/bin/sh\nexit ${code}\n`, { mode: 0o755 });
    const [program = "", ...args] = script(
      dir,
      "refused.mjs",
      'import { update } from "infra/apply/update.ts"; await update("staging", ".local");',
    );
    const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
    expect(spawnSync(program, args, { encoding: "utf8", env }).stderr).toMatch(words);
  });

  it("because its backend has no such stack: `npm run up` says what to do as well, and ends with the CLI's code", () => {
    const bin = mkdtempSync(join(dir, "bin-"));
    writeFileSync(join(bin, "pulumi"), "#!/bin/sh\nexit 6\n", { mode: 0o755 });
    const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
    const line = [join(ROOT, "infra/commands/pulumi.ts"), "up", "--stack", "staging"];
    const { status, stderr } = spawnSync(process.execPath, line, { encoding: "utf8", env, cwd: ROOT });
    expect([status, stderr]).toEqual([
      6,
      expect.stringMatching(/^Where staging was never made: `pulumi stack init staging`\. /m),
    ]);
  });
});

it("a rollout that is interrupted between two updates says that the traffic stays", async () => {
  const [program = "", ...args] = script(
    dir,
    "waiting.mjs",
    `import { orFail } from "infra/commands/command.ts";
     import { stopBetweenUpdates } from "infra/commands/rollout-end.ts";
     await orFail(async () => {
       stopBetweenUpdates("staging", ".local");
       console.log("waits");
       await new Promise((resolve) => setTimeout(resolve, 60_000));
     });`,
  );
  const child = spawn(program, args);
  let text = "";
  child.stderr.on("data", (chunk) => (text += String(chunk)));
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([143, null]);
  expect(text).toMatch(/no update was under way\. The traffic stays as it is: .* status --stack staging/);
});

describe("an update that cannot ask whether another checkout has pinned the stack", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
  });
  afterAll(() => copy?.remove());

  /** Runs it with a CLI that succeeds, and an API that answers every request with this status. */
  async function up(status: number) {
    const bin = mkdtempSync(join(dir, "bin-"));
    writeFileSync(join(bin, "pulumi"), "#!/bin/sh\necho updated\n", { mode: 0o755 });
    const api = createServer((_, response) => response.writeHead(status).end("{}"));
    const port = await listening(api);
    const { code, text } = await copy.run(
      `PATH='${bin}':"$PATH" node infra/commands/pulumi.ts up --stack staging --yes`,
      {
        env: {
          CLOUDFLARE_BASE_URL: `http://127.0.0.1:${port}/client/v4`,
          CLOUDFLARE_API_TOKEN: "token",
          CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
        },
      },
    );
    api.close();
    return { code, text };
  }

  it("goes on and says so: the account cannot be read", async () => {
    const { code, text } = await up(403);
    expect(text).toMatch(
      /^The account was not asked whether another checkout has pinned staging, or a rollout is under way\. GET .* was answered 403/m,
    );
    expect([code, text]).toEqual([0, expect.stringMatching(/^updated$/m)]);
  });

  it("goes on and says so: a setting is encrypted, which only the CLI reads", async () => {
    const file = "Pulumi.staging.yaml";
    copy.write(file, copy.read(file).replace("homeRegion: eu", "homeRegion:\n    secure: v1:aaaa:bbbb"));
    const { code, text } = await up(403);
    expect(text).toMatch(
      /^The account was not asked whether another checkout has pinned staging, or a rollout is under way\. [\s\S]*homeRegion: encrypted, /m,
    );
    expect([code, text]).toEqual([0, expect.stringMatching(/^updated$/m)]);
  });
});
