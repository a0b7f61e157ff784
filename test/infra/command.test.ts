/** How a command ends when something is wrong: a person's mistake is one message, a bug shows its stack. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { constants, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { workerUrl } from "../../infra/commands/command.ts";
import { obstaclesToRemoval } from "../../infra/pattern/remove.ts";
import { ROOT } from "../../infra/release/root.ts";
import { isUserError, UserError } from "../../infra/stack/user-error.ts";
import { listening } from "../../packages/local-account/test/listening.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

const dir = mkdtempSync(join(tmpdir(), "durable-stack-command-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const module = (file: string) => JSON.stringify(pathToFileURL(join(ROOT, file)).href);

/** Runs a command whose work is `work`. */
function run(work: string) {
  const file = join(dir, "command.mjs");
  writeFileSync(
    file,
    `import { orFail } from ${module("infra/commands/command.ts")};
     import { UserError } from ${module("infra/stack/user-error.ts")};
     await orFail(async () => { ${work} });`,
  );
  const { status, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  return { status, stderr };
}

describe("a command", () => {
  it("prints a user's mistake as one message", () => {
    expect(run('throw new UserError("There is no stack x.")')).toEqual({ status: 1, stderr: "There is no stack x.\n" });
  });

  it("ends quietly where Ctrl-C has ended a program that it waits for", () => {
    const interrupted = `const { execFileSync } = await import("node:child_process");
      execFileSync("sh", ["-c", "kill -INT $$"]);`;
    expect(run(interrupted)).toEqual({ status: 130, stderr: "" });
  });

  it("ends by its own listener where Ctrl-C is known only after what it has ended has failed", () => {
    // A program's end is known while the event loop hears of files and pipes, as of this read.
    const pending = `process.on("SIGINT", () => process.exit(130));
      await (await import("node:fs/promises")).stat(".");
      process.kill(process.pid, "SIGINT");
      throw new Error("The service was stopped");`;
    expect(run(pending)).toEqual({ status: 130, stderr: "" });
  });

  it.runIf(existsSync("/dev/full")).each([1, 2])("goes on where the disk under its output %d is full", (fd) => {
    const done = join(dir, `done-${fd}`);
    const file = join(dir, "full.mjs");
    writeFileSync(
      file,
      `import { orFail } from ${module("infra/commands/command.ts")};
       import { writeFileSync } from "node:fs";
       import { setImmediate } from "node:timers/promises";
       await orFail(async () => {
         for (const print of [console.log, console.error, console.log]) {
           print("a line");
           await setImmediate();
         }
         writeFileSync(${JSON.stringify(done)}, "");
       });`,
    );
    const full = openSync("/dev/full", "w");
    const stdio: StdioOptions = ["ignore", fd === 1 ? full : "pipe", fd === 2 ? full : "pipe"];
    const { status, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8", stdio });
    closeSync(full);
    expect(existsSync(done)).toBe(true);
    expect(status).toBe(1);
    if (fd === 1)
      expect(stderr).toMatch(/^Standard output cannot be written: the disk is full \(ENOSPC: .*goes on\.\na line\n$/);
  });

  it("shows the stack trace of a bug, and says that it is a bug", () => {
    const { status, stderr } = run("undefined.name");
    expect(status).toBe(70);
    expect(stderr).toMatch(/TypeError: [\s\S]+ at [\s\S]+This is a bug of the command/);
  });
});

it.each([
  [
    "settings file",
    'const { changeSetting } = await import(PLACE); changeSetting(FILE, "pin", 2);',
    "stack/settings-file.ts",
  ],
  [
    "release",
    'const { writeRelease } = await import(PLACE); writeRelease(FILE, new Map([["a", "b"]]));',
    "release/write.ts",
  ],
  [
    "state of an apply",
    'const { State } = await import(PLACE); State.open(FILE, "account").begin("urn");',
    "apply/state.ts",
  ],
  ["lock of an apply", "const { lock } = await import(PLACE); lock(FILE);", "apply/lock.ts"],
  ["admin token", "const { adminTokenOf } = await import(PLACE); adminTokenOf(FILE);", "apply/admin-token.ts"],
])("a %s that cannot be written is no bug of the command", (_, work, place) => {
  const file = join(ROOT, "README.md/folder/x");
  const { status, stderr } = run(work.replace("PLACE", module(`infra/${place}`)).replace("FILE", JSON.stringify(file)));
  expect(stderr).toMatch(
    /^\S*README\.md\/folder\S* cannot be (written|read): something that is no folder is in the place of one \(ENOTDIR: .*\)\. Move that away, or choose another place\.\n$/,
  );
  expect(status).toBe(1);
});

describe("a file of an apply", () => {
  const told = (work: string, place: string, file: string) =>
    run(work.replace("PLACE", module(`infra/apply/${place}`)).replace("FILE", JSON.stringify(file)));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(dir, "apply-"));
  });
  const LOCK = "const { lock } = await import(PLACE); lock(FILE);";
  const SAVE = 'const { State } = await import(PLACE); State.open(FILE, "account").begin("urn");';
  const TOKEN = "const { adminTokenOf } = await import(PLACE); adminTokenOf(FILE);";

  it("is named where a folder is in its place", () => {
    for (const name of ["apply.lock", "stack.json", "admin-token"]) mkdirSync(join(folder, name));
    expect(told(LOCK, "lock.ts", folder)).toEqual({
      status: 1,
      stderr: `${join(folder, "apply.lock")} cannot be written: it cannot be opened as a file (unable to open database file). Move away what is there, or choose another place.\n`,
    });
    const isFolder = "it is a folder (EISDIR: illegal operation on a directory, read)";
    for (const [work, place, file, name] of [
      [SAVE, "state.ts", join(folder, "stack.json"), "stack.json"],
      [TOKEN, "admin-token.ts", folder, "admin-token"],
    ] as const)
      expect(told(work, place, file)).toEqual({
        status: 1,
        stderr: `${join(folder, name)} cannot be read: ${isFolder}. Move the folder away, or name a file.\n`,
      });
  });

  it.runIf(existsSync("/dev/full"))("is named where the disk is full", () => {
    symlinkSync("/dev/full", join(folder, "stack.json.next"));
    expect(told(SAVE, "state.ts", join(folder, "stack.json"))).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        /stack\.json\.next cannot be written: the disk is full \(ENOSPC: .*\)\. Make room there, or choose another place\.\n$/,
      ),
    });
  });

  it("is not another apply's where SQLite may only read it", () => {
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const file = join(folder, "apply.lock");
    new DatabaseSync(file).close();
    const readOnly = `const { refusal } = await import(PLACE);
      const { DatabaseSync } = await import("node:sqlite");
      try { new DatabaseSync(FILE, { readOnly: true }).exec("CREATE TABLE t (x)"); }
      catch (error) { throw refusal("the lock", "written", error); }`;
    expect(told(readOnly, "../stack/named-file.ts", file)).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^the lock cannot be written: it may only be read \(attempt to write a readonly/),
    });
  });
});

it("a full disk is no bug, whatever file it was; a file that is not there may be one", () => {
  const full = run('(await import("node:fs")).writeFileSync("/dev/full", "x");');
  const absent = run('(await import("node:fs")).readFileSync("/no/such/file");');
  expect(full).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^A file cannot be written or read: the disk is full/),
  });
  expect(absent.status).toBe(70);
});

it("a file that a full disk cannot take keeps what it had", () => {
  const file = join(dir, "kept.yaml");
  writeFileSync(file, "before\n", { mode: 0o640 });
  const link = join(dir, "link.yaml");
  symlinkSync(file, link);
  const write = join(dir, "write.mjs");
  writeFileSync(
    write,
    `import { orFail } from ${module("infra/commands/command.ts")};
     import { writeNamed } from ${module("infra/stack/named-file.ts")};
     await orFail(async () => writeNamed(process.argv[2], "x".repeat(Number(process.argv[3]))));`,
  );
  // A limit for each file stands for a full disk. Its unit is 512 or 1024 bytes.
  const limited = (size: number) => {
    const line = 'ulimit -f 4; exec "$0" "$@"';
    const args = ["-c", line, process.execPath, write, link, String(size)];
    return spawnSync("sh", args, { encoding: "utf8", env: { ...process.env, NODE_COMPILE_CACHE: "" } });
  };
  const before = readdirSync(dir);
  expect(limited(100_000)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/link\.yaml cannot be written: EFBIG/),
  });
  expect(readFileSync(file, "utf8")).toBe("before\n");
  expect(readdirSync(dir)).toEqual(before);
  expect(limited(10)).toMatchObject({ status: 0, stderr: "" });
  expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual(["x".repeat(10), 0o640]);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
});

it("a new file that a full disk cannot take is not there by half", () => {
  const work = `const { writeNamed } = await import(${module("infra/stack/named-file.ts")});
    writeNamed(${JSON.stringify(join(dir, "new.yaml"))}, "x".repeat(100_000));`;
  const file = join(dir, "new.mjs");
  writeFileSync(
    file,
    `import { orFail } from ${module("infra/commands/command.ts")}; await orFail(async () => { ${work} });`,
  );
  const args = ["-c", 'ulimit -f 4; exec "$0" "$@"', process.execPath, file];
  const { status, stderr } = spawnSync("sh", args, {
    encoding: "utf8",
    env: { ...process.env, NODE_COMPILE_CACHE: "" },
  });
  expect(stderr).toMatch(/new\.yaml cannot be written: EFBIG/);
  expect(status).toBe(1);
  expect(existsSync(join(dir, "new.yaml"))).toBe(false);
});

it("a folder for temporary files that is not there is told by the rehearsal, and is no bug", () => {
  const { status, stderr } = spawnSync(process.execPath, ["infra/commands/rehearse.ts", "--from", "HEAD"], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, TMPDIR: "/no/such" },
  });
  expect(stderr).toMatch(/^\/no\/such cannot be written: there is no such file or folder .*\n$/);
  expect(status).toBe(1);
});

it("a folder that no system call can make is refused, and does not take for ever", () => {
  const { status, stderr } = run(`const { makeFolder } = await import(${module("infra/stack/named-file.ts")});
    makeFolder(${JSON.stringify(join(dir, "made/below"))}); makeFolder(${JSON.stringify(dir)}); makeFolder("/proc/x/y");`);
  expect(stderr).toMatch(/^\/proc\/x\/y cannot be written: [^\n]*\n$/);
  expect(status).toBe(1);
  expect(existsSync(join(dir, "made/below"))).toBe(true);
});

describe("a file of the project that is missing", () => {
  const copy = new ProjectCopy();
  afterAll(() => copy.remove());

  it("is no shallow clone's commit where there is no git repository", async () => {
    const { code, text } = await copy.run("node infra/commands/pr.ts look --base main");
    expect(text).toMatch(
      /^There is no commit "main" here .* git finds no repository here \(fatal: not a git repository/,
    );
    expect(code).toBe(1);
    const without = await copy.run("PATH= $(command -v node) infra/commands/pr.ts look --base main");
    expect(without.text).toMatch(/ git is not installed, or not on the PATH: install it\.\n$/);
  });

  it.each([
    ["wrangler.jsonc", "build.ts"],
    ["package-lock.json", "build.ts"],
    ["Pulumi.local.yaml", "start.ts start --port 0 --api-port 0"],
    ["Pulumi.local.yaml", "start.ts start --into .local"],
    ["Pulumi.local.yaml", "migrations.ts plan --stack local"],
    ["Pulumi.local.yaml", "pulumi.ts up --stack local"],
    ["Pulumi.local.yaml", "rehearse.ts --from HEAD"],
  ])("%s is told in a sentence with what to do: %s", async (name, line) => {
    const contents = copy.read(name);
    rmSync(join(copy.root, name));
    const { code, text } = await copy.run(`exec node infra/commands/${line}`);
    copy.write(name, contents);
    expect(text).toMatch(/^[^\n]*\n$/);
    expect(text).toContain(`Bring it back with \`git checkout -- ${name}\`, or `);
    expect(code).toBe(1);
  });
});

it("a command goes on to its end where nobody reads what it prints any more", async () => {
  const file = join(dir, "unread.mjs");
  writeFileSync(
    file,
    `import { once } from "node:events";
     import { orFail } from ${module("infra/commands/command.ts")};
     await orFail(async () => {
       console.log("the only line that is read");
       process.stdin.resume();
       await once(process.stdin, "end");
       for (let i = 0; i < 3; i++) {
         console.log("nobody reads this");
         await new Promise(setImmediate);
       }
       console.error("finished");
     });`,
  );
  const command = spawn(process.execPath, [file]);
  command.stdout.once("data", () => command.stdout.destroy());
  command.stdout.once("close", () => command.stdin.end());
  let told = "";
  command.stderr.on("data", (text) => {
    told += text;
  });
  expect(await once(command, "close")).toEqual([0, null]);
  expect(told).toBe("finished\n");
});

/** Stands in for the Pulumi CLI: asked to end by a signal it takes a second for it, and notes what it gets and does. */
const CLI = `#!/bin/sh
trap 'echo INT >> "$NOTES"; asked=yes' INT
trap 'echo TERM >> "$NOTES"; asked=yes' TERM
echo began >> "$NOTES"
echo "Updating (staging)"
while [ -z "$asked" ]; do sleep 0.05; done
sleep 1
echo ended >> "$NOTES"
exit "$CODE"
`;

/** What a shell makes of an end: npm ends itself by the signal that has ended its script. */
const statusOf = ({ exitCode, signalCode }: ChildProcess) =>
  signalCode === null ? exitCode : 128 + constants.signals[signalCode];

/** A script that does what a command does, with the modules that it names. */
const script = (name: string, text: string): readonly string[] => {
  const file = join(dir, name);
  writeFileSync(
    file,
    text.replaceAll(/from "(infra\/[^"]+)"/g, (_, path: string) => `from ${module(path)}`),
  );
  return [process.execPath, file];
};

describe("a command that waits for the Pulumi CLI", () => {
  const bin = mkdtempSync(join(dir, "bin-"));
  writeFileSync(join(bin, "pulumi"), CLI, { mode: 0o755 });
  const npm = (...words: string[]) => ["npm", "run", "-s", ...words];
  const pulumi = (...words: string[]) => [process.execPath, join(ROOT, "infra/commands/pulumi.ts"), ...words];
  const rollout = () =>
    script(
      "rollout.mjs",
      `import { update } from "infra/apply/update.ts";
       import { orFail } from "infra/commands/command.ts";
       import { stopBetweenUpdates } from "infra/commands/rollout-end.ts";
       await orFail(async () => {
         stopBetweenUpdates("staging");
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
      /^The account was not asked whether another checkout has pinned staging\. GET .* was answered 403/m,
    );
    expect([code, text]).toEqual([0, expect.stringMatching(/^updated$/m)]);
  });

  it("goes on and says so: a setting is encrypted, which only the CLI reads", async () => {
    const file = "Pulumi.staging.yaml";
    copy.write(file, copy.read(file).replace("homeRegion: eu", "homeRegion:\n    secure: v1:aaaa:bbbb"));
    const { code, text } = await up(403);
    expect(text).toMatch(
      /^The account was not asked whether another checkout has pinned staging\. [\s\S]*homeRegion: encrypted, /m,
    );
    expect([code, text]).toEqual([0, expect.stringMatching(/^updated$/m)]);
  });
});

it("an import of a history takes no local account for the one that is named by half", () => {
  const { CLOUDFLARE_ACCOUNT_ID: _, ...env } = process.env;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "infra/commands/migrations.ts"), "import", "--worker", "app"],
    { cwd: ROOT, encoding: "utf8", env: { ...env, CLOUDFLARE_API_TOKEN: "production's" } },
  );
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^CLOUDFLARE_API_TOKEN is set and CLOUDFLARE_ACCOUNT_ID is not\. /),
  ]);
});

it("a rollout that is interrupted between two updates says that the traffic stays", async () => {
  const [program = "", ...args] = script(
    "waiting.mjs",
    `import { orFail } from "infra/commands/command.ts";
     import { stopBetweenUpdates } from "infra/commands/rollout-end.ts";
     await orFail(async () => {
       stopBetweenUpdates("staging");
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

describe("a mistake at the command line", () => {
  it.each([
    ["build.ts --nope", /^error: unknown option '--nope'[\s\S]*Usage: npm run build -- /],
    ...[
      ["-s, --stack <name>", "rollback.ts --stack staging --yes -s local"],
      ["--stack <name>", "migrations.ts plan --stack staging --stack local"],
      ["--stack <name>", "migrations.ts import --stack staging --stack=local"],
      ["--stack <name>", "pr.ts plan --stack staging --stack local"],
      ["--stack <name>", "rehearse.ts --from v1 --stack staging --stack local"],
      ["--to <stack>", "promote.ts --from staging --to production --to local"],
      ["--pull <number>", "pr.ts down --pull 1 --pull 2"],
      ["--worker <name>", "keys.ts --worker a --worker b list"],
      ["--admin-token <token>", "smoke.ts --url http://127.0.0.1:1 --admin-token not-to-print --admin-token other"],
    ].map(([flags = "", line = ""]): [string, RegExp] => [
      line,
      new RegExp(
        `^error: option '${flags}' is given twice, with two values\\. Give it once\\.(?![\\s\\S]*not-to-print)`,
      ),
    ]),
    [
      "promote.ts --from staging --to production --override soak=one --override soak=two",
      /argument 'soak=two' is invalid\. soak is overridden twice: say why once\.\n/,
    ],
    ["rehearse.ts --from v1 --stack nope --stack nope", /^this checkout: There is no Pulumi\.nope\.yaml\./],
    ["migrations.ts status --stack nope --stack neither", /nope: not reached[\s\S]*neither: not reached/],
    [
      "smoke.ts --url http://127.0.0.1:1 --wait=",
      /^error: option '--wait <seconds>' argument '' is invalid\. .* 0 to 600\./,
    ],
    ["rehearse.ts --from v1 --objects 1e1", /argument '1e1' is invalid\. It must be a whole number from 1 to 1000\.\n/],
    ["pr.ts down --pull 0x1", /argument '0x1' is invalid\. It must be a whole number from 1 to 1000000\.\n/],
    ["start.ts start --port 8e3", /argument '8e3' is invalid\. .* from 0 to 65535; 0 takes a free one\.\n/],
    ...["promote.ts --from staging --to production", "migrations.ts status", "pr.ts plan --stack local"].map(
      (line): [string, RegExp] => [`${line} --dir=`, /argument '' is invalid\. It must name a folder\./],
    ),
    ["pr.ts plan --stack local --release=", /argument '' is invalid\. It must name a folder\./],
    ["build.ts extra", /^error: too many arguments[\s\S]*Usage: npm run build -- /],
    ["rehearse.ts --from v1 --stack nope", /^this checkout: There is no Pulumi\.nope\.yaml\. Stacks: .*local.*\.$/],
    ["pr.ts look --base nope", /^There is no commit "nope" here .*`git fetch --unshallow`.*\.$/],
    [
      "pr.ts stale --pulls no/such --branches no/such",
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "pr.ts post no/such --repository o/r --pull 1 --kind preview",
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      `pr.ts comment --found no/such --commit ${"a".repeat(40)} --run https://a.b --repository o/r --head-repository o/r`,
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "pr.ts plan --stack local --out no/such/x.json",
      /^no\/such\/x\.json cannot be written: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "drift.ts --stack=",
      /^"" cannot be the name of a stack: it must be 1 to 100 .* Stacks: local, production, staging\.$/,
    ],
    [`rollback.ts --stack ${"a".repeat(600)}`, /^"a{40}…" cannot be the name of a stack: .* Stacks: local, \S+, \S+$/],
    [
      "rollback.ts --stack local --dir=",
      /^error: option '--dir <folder>' argument '' is invalid\. It must name a folder\./,
    ],
    ["pr.ts look --base HEAD --out=", /^"" cannot be written: it names no file\. Name one\.$/],
    [
      `pr.ts look --base HEAD --out ${"a".repeat(600)}`,
      /^a{60}… cannot be written: its name is too long \(ENAMETOOLONG.*\)\. Choose a shorter one\.$/,
    ],
    [
      `rollback.ts --stack local --dir ${"a".repeat(600)}`,
      /^\S+… cannot be read: its name is too long \(ENAMETOOLONG.*\)\. Choose a shorter one\.$/,
    ],
    ["drift.ts --stack --json", /^"--json" is an option, and no stack's name: name one\. Stacks: local, .*\.$/],
    ["pulumi.ts up --stack local --dir=", /^--dir must name a folder\.$/],
    ["pr.ts look --base HEAD --out test", /^test cannot be written: it is a folder\. Name a file\.$/],
    [
      "promote.ts --from staging --to production --save-plan no/such/x.json",
      /^no\/such\/x\.json cannot be written: .*$/,
    ],
    ["promote.ts --from staging --to production --save-plan README.md/x", /^README\.md\/x cannot be written: .*$/],
    [
      "drift.ts --stack staging",
      /^The API's address must be a URL .* is notaurl\. Correct CLOUDFLARE_BASE_URL, .*$/,
      "notaurl",
    ],
    [
      "drift.ts --stack staging",
      /^No request can carry the API token: it has 13 characters with spaces or line breaks among them\. Export only .*$/,
      "http://127.0.0.1:1/client/v4",
      "not-\nto-print",
    ],
  ])("is told in a sentence: %s", (line, sentence, url = "http://127.0.0.1:1/client/v4", token = "token") => {
    const [file = "", ...args] = line.split(" ");
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
      cwd: ROOT,
      encoding: "utf8",
      env: {
        ...process.env,
        CLOUDFLARE_BASE_URL: url,
        CLOUDFLARE_API_TOKEN: token,
        CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
      },
    });
    expect(stderr.trimEnd()).toMatch(sentence);
    expect(status).toBe(1);
  });
});

it.each([
  ["API_TOKEN", "not-\nto-print", /Export only the token as FROM_CLOUDFLARE_API_TOKEN/],
  ["ACCOUNT_ID", "no-account", /or export FROM_CLOUDFLARE_ACCOUNT_ID/],
])("promote names the source and its own variable where that is wrong: FROM_CLOUDFLARE_%s", (name, value, words) => {
  const args = [join(ROOT, "infra/commands/promote.ts"), "--from", "staging", "--to", "production"];
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      CLOUDFLARE_API_TOKEN: "token",
      CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
      [`FROM_CLOUDFLARE_${name}`]: value,
    },
  });
  expect(stderr).toMatch(/^staging, which the release comes from, cannot be read\./);
  expect(stderr).toMatch(words);
  expect(status).toBe(1);
});

it("the smoke test says that it may be waiting where the rate limiter puts a call off", async () => {
  const server = createServer((_, response) => response.writeHead(429, { "Retry-After": "60" }).end());
  const url = `http://127.0.0.1:${await listening(server)}`;
  const child = spawn(process.execPath, [join(ROOT, "infra/commands/smoke.ts"), "--url", url]);
  const [told] = await once(child.stderr, "data");
  child.kill("SIGKILL");
  server.close();
  expect(String(told)).toContain("Where the rate limiter refuses a call, it is made again when that says");
});

describe("a command that changes the project's files", () => {
  // Of a project with one pattern, none.
  const free = patterns.filter(({ folder }) => obstaclesToRemoval([folder], { patterns }).length === 0).slice(0, 1);
  it.each([
    ["adds a pattern", "pattern.ts add try-out"],
    ...free.map(({ folder }) => ["takes one out", `pattern.ts remove ${folder}`]),
  ])("and %s says before that it makes others anew", (_, line = "") => {
    const [file = "", ...args] = line.split(" ");
    const command = join(ROOT, "infra/commands", file);
    const { status, stdout } = spawnSync(process.execPath, [command, ...args, "--dry-run"], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^worker-configuration\.d\.ts +made anew: npm run types$/m);
    expect(stdout).toMatch(/^docs\/access\.md +made anew: npm run access$/m);
  });
});

describe("the scripts of package.json", () => {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const called = [...text.matchAll(/infra\/run\.mjs ([\w-]+)/g)].map(([, name = ""]) => name);

  it("call commands that are there", () => {
    expect(called.length).toBeGreaterThan(20);
    expect(called.filter((name) => !existsSync(join(ROOT, `infra/commands/${name}.ts`)))).toEqual([]);
  });

  it("keep what Node has compiled for the next one, which gets its arguments", () => {
    const cache = join(dir, "compiled");
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(ROOT, "infra/run.mjs"), "cost", ...args], {
        encoding: "utf8",
        env: { ...process.env, NODE_COMPILE_CACHE: cache },
      });
    expect(run("--requests", "1M").stdout).toBe(run("--requests", "1M").stdout);
    expect(run("--requests", "no").stderr).toContain("--requests");
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(50);
  });
});

describe("before anything is installed", () => {
  const fresh = join(dir, "fresh");
  mkdirSync(join(fresh, "infra"), { recursive: true });
  for (const file of ["package.json", "infra/run.mjs"]) cpSync(join(ROOT, file), join(fresh, file));
  const run = (script: string) => spawnSync("npm", ["run", script], { cwd: fresh, encoding: "utf8" });

  it.each(["start", "test", "build", "dev", "init"])("npm run %s says to run npm ci, and shows no stack", (script) => {
    const { status, stderr } = run(script);
    expect(status).toBe(1);
    expect(stderr).toContain("Run this first: npm ci");
    expect(stderr).not.toMatch(/ERR_|\n\s+at /);
  });

  it("a Node that cannot run TypeScript is told, where the project's own is not there", () => {
    const bare = join(dir, "bare");
    cpSync(fresh, bare, { recursive: true });
    mkdirSync(join(bare, "node_modules/node"), { recursive: true });
    writeFileSync(join(bare, "node_modules/node/package.json"), "{}");
    const check = (...args: string[]) =>
      spawnSync(process.execPath, [...args, join(bare, "infra/run.mjs")], { encoding: "utf8" });
    expect(check().status).toBe(0);
    // As on Node 20.
    const { status, stderr } = check("--no-strip-types");
    expect(status).toBe(1);
    expect(stderr).toContain("npm rebuild node --ignore-scripts=false");
  });
});

describe("where a Worker answers", () => {
  it("is an address without anything behind the host", () => {
    for (const text of ["https://my-app.example.workers.dev", "http://127.0.0.1:8787/", "HTTP://[::1]:80"]) {
      expect(workerUrl(text).href).toBe(new URL(text).href);
    }
  });

  it.each(["/foo", "/?a=b", "/#admin=token", "/foo/"])("is refused with %s", (more) => {
    expect(() => workerUrl(`http://127.0.0.1:8787${more}`)).toThrow(
      "It must be where the Worker's paths begin, without a user, a path, a query or a fragment: http://127.0.0.1:8787",
    );
  });

  it.each(["127.0.0.1:8787", "ftp://127.0.0.1", ""])("is refused where it is no address of the web: %j", (text) => {
    expect(() => workerUrl(text)).toThrow("It must be a URL that begins with http:// or https://.");
  });
});

it("has errors for people that Pulumi takes for its own, and takes Pulumi's for them", () => {
  expect(pulumi.RunError.isInstance(new UserError("Set the account's id."))).toBe(true);
  expect(isUserError(new pulumi.RunError("Set the account's id."))).toBe(true);
  expect(pulumi.RunError.isInstance(new Error("a bug"))).toBe(false);
});

describe("a file of the project with a mistake in it", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
    copy.commit("v1");
  });
  afterEach(() => copy.reset());
  afterAll(() => copy?.remove());
  const told = async (command: string) => {
    const { code, text } = await copy.run(`node infra/commands/${command}`, {
      env: { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32), CLOUDFLARE_API_TOKEN: "none" },
    });
    return { command, code, text: text.trim() };
  };

  it.each([
    [".create(", ".create((", /^infra\/migrations\.ts:\d+: \S.*\. Correct it there\.$/],
    ["export const", "undefined.name;\nexport const", /^infra\/migrations\.ts:8: Cannot read properties of undefined/],
    [
      '@durable-stack/class-lifecycle";',
      '@durable-stack/class-lifecycle";\nimport "./gone.ts";',
      /^infra\/migrations\.ts: Cannot find module 'infra\/gone\.ts'/,
    ],
    [
      "history } from",
      "histori as history } from",
      /^infra\/migrations\.ts:6: The requested module .* does not provide an export named 'histori'/,
    ],
    ["const { migrations }", "const { migrations: other }", /^infra\/migrations\.ts exports no `migrations`/],
  ])("is told with its line by what needs the history: %s -> %s", async (from, to, said) => {
    copy.replace("infra/migrations.ts", from, to);
    for (const command of ["migrations.ts lint", "build.ts", "pattern.ts check"])
      expect(await told(command)).toEqual({ command, code: 1, text: expect.stringMatching(said) });
    expect(await told("migrations.ts --help")).toMatchObject({ code: 0 });
  });

  it("is not built where its lock file is gone, or has another past", async () => {
    expect((await copy.run("rm infra/migrations.lock")).code).toBe(0);
    const missing =
      /^The history of the classes has errors:\n\[lock_missing\] infra\/migrations\.lock: .*migrations -- lock/;
    expect(await told("build.ts")).toMatchObject({ code: 1, text: expect.stringMatching(missing) });
    expect(await told("migrations.ts lock")).toMatchObject({ code: 0 });
    expect(await told("build.ts")).toMatchObject({ code: 0 });
    copy.replace("infra/migrations.ts", '.step("0001-', '.step("0001-other-');
    expect(await told("build.ts")).toMatchObject({ code: 1, text: expect.stringContaining("[lock_past_changed]") });
  });

  it("is linted with the number of its warnings", async () => {
    const lint = "migrations.ts lint";
    expect((await told(lint)).text).toMatch(/^\d+ steps?, no errors, no warnings$/);
    const steps =
      '.step("9997-a", (classes) => classes.create("Again")).step("9998-b", (classes) => classes.rename("Again", "Other")).step("9999-c", (classes) => classes.create("Again"))';
    copy.write("infra/migrations.ts", copy.read("infra/migrations.ts").replace(/;\s*$/, `${steps};\n`));
    expect(await told("migrations.ts lock")).toMatchObject({ code: 0 });
    expect(await told(lint)).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^warning \[class_name_reused\] .*\n\d+ steps, no errors, 1 warning$/),
    });
  });

  it("is told with its line where it is a stack's, and repeats none of it", async () => {
    copy.replace("infra/migrations.ts", ".create(", ".create((");
    const commands = [
      "migrations.ts lock",
      "migrations.ts status",
      "rollout.ts status --stack staging",
      "init.ts --name x --dry-run",
      "pattern.ts remove chat --dry-run",
    ];
    for (const command of commands)
      expect(await told(command)).toMatchObject({ code: 1, text: expect.not.stringMatching(/\n\s+at /) });
    copy.reset();
    copy.write("Pulumi.staging.yaml", "config:\n  adminToken: secret: of mine\n");
    const line = `${join(copy.root, "Pulumi.staging.yaml")}:2 is not YAML: Nested mappings are not allowed in compact mappings. Correct it there.`;
    for (const command of ["drift.ts", "rollback.ts --list", "recover.ts", "destroy.ts", "rollout.ts status"])
      expect(await told(`${command} --stack staging`)).toMatchObject({ code: 1, text: line });
  });
});

describe("a change of the project that ends in the middle", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
    copy.commit("v1");
  });
  afterAll(() => copy?.remove());
  const UNDO = "git checkout -- . && git clean -fd .";
  const isAsBefore = async () => {
    expect(await copy.run(UNDO)).toMatchObject({ code: 0 });
    expect(await copy.run("git status --porcelain")).toEqual({ code: 0, text: "" });
  };

  it("because a tool fails says what that said, and how all is as before", async () => {
    const home = join(dir, "home");
    symlinkSync(home, home);
    // Wrangler looks for its own settings there.
    const env = { HOME: home, XDG_CONFIG_HOME: dir, GIT_CONFIG_GLOBAL: "/dev/null" };
    const { code, text } = await copy.run("node infra/commands/pattern.ts add jobs", { env });
    expect(text).toMatch(/`node node_modules\/wrangler\/\S+ types .*` failed:\n[\s\S]*ELOOP/);
    expect(text).toContain(
      `Only a part of this is done. To take it back, which leaves all as it was committed: ${UNDO}`,
    );
    expect(text).not.toContain("This is a bug");
    expect(code).toBe(1);
    await isAsBefore();
  });

  it("by Ctrl-C says how all is as before, or that it was done", async () => {
    const before = copy.read("worker-configuration.d.ts");
    const child = copy.start("exec node infra/commands/pattern.ts add jobs", { detached: true });
    let text = "";
    child.stderr.on("data", (chunk) => (text += String(chunk)));
    const ended = once(child, "close");
    // What is made of the changes is being made.
    await expect.poll(() => copy.read("worker-configuration.d.ts") !== before, { timeout: 60_000 }).toBe(true);
    if (child.pid !== undefined) process.kill(-child.pid, "SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(text).toMatch(
      /^\nInterrupted\. (Only a part of this is done\. .*git clean|All of it was done all the same)/,
    );
    await isAsBefore();
  });
});
