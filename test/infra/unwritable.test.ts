/** A file or a folder that cannot be written: a command says so, and leaves nothing by half. */
import { type StdioOptions, spawnSync } from "node:child_process";
import fs, {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { writeNamed } from "../../infra/common/named-file.ts";
import { ROOT } from "../../infra/release/root.ts";
import { scratch } from "../scratch.ts";
import { module, runWork, script } from "./own-process.ts";

const dir = scratch();

it.runIf(existsSync("/dev/full")).each([1, 2])("a command goes on where the disk under its output %d is full", (fd) => {
  const done = join(dir, `done-${fd}`);
  const [program = "", ...args] = script(
    dir,
    "full.mjs",
    `import { orFail } from "infra/commands/command.ts";
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
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8", stdio });
  closeSync(full);
  expect(existsSync(done)).toBe(true);
  expect(status).toBe(1);
  if (fd === 1)
    expect(stderr).toMatch(/^Standard output cannot be written: the disk is full \(ENOSPC: .*goes on\.\na line\n$/);
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
  ["lock of an apply", "const { lockFolder } = await import(PLACE); lockFolder(FILE);", "apply/folder-lock.ts"],
  ["admin token", "const { adminTokenOf } = await import(PLACE); adminTokenOf(FILE);", "apply/admin-token.ts"],
])("a %s that cannot be written is no bug of the command", (_, work, place) => {
  const file = join(ROOT, "README.md/folder/x");
  const { status, stderr } = runWork(
    dir,
    work.replace("PLACE", module(`infra/${place}`)).replace("FILE", JSON.stringify(file)),
  );
  expect(stderr).toMatch(
    /^\S*README\.md\/folder\S* cannot be (written|read): something that is no folder is in the place of one \(ENOTDIR: .*\)\. Move that away, or choose another place\.\n$/,
  );
  expect(status).toBe(1);
});

describe("a file of an apply", () => {
  const onFile = (work: string, place: string, file: string) =>
    runWork(dir, work.replace("PLACE", module(`infra/apply/${place}`)).replace("FILE", JSON.stringify(file)));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(dir, "apply-"));
  });
  const LOCK = "const { lockFolder } = await import(PLACE); lockFolder(FILE);";
  const SAVE = 'const { State } = await import(PLACE); State.open(FILE, "account").begin("urn");';
  const TOKEN = "const { adminTokenOf } = await import(PLACE); adminTokenOf(FILE);";

  it("is named where a folder is in its place", () => {
    for (const name of ["apply.lock", "stack.json", "admin-token"]) mkdirSync(join(folder, name));
    expect(onFile(LOCK, "folder-lock.ts", folder)).toEqual({
      status: 1,
      stderr: `${join(folder, "apply.lock")} cannot be written: it cannot be opened as a file (unable to open database file). Move away what is there, or choose another place.\n`,
    });
    const isFolder = "it is a folder (EISDIR: illegal operation on a directory, read)";
    for (const [work, place, file, name] of [
      [SAVE, "state.ts", join(folder, "stack.json"), "stack.json"],
      [TOKEN, "admin-token.ts", folder, "admin-token"],
    ] as const)
      expect(onFile(work, place, file)).toEqual({
        status: 1,
        stderr: `${join(folder, name)} cannot be read: ${isFolder}. Move the folder away, or name a file.\n`,
      });
  });

  it.runIf(existsSync("/dev/full"))("is named where the disk is full", () => {
    symlinkSync("/dev/full", join(folder, "stack.json.next"));
    expect(onFile(SAVE, "state.ts", join(folder, "stack.json"))).toEqual({
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
    expect(onFile(readOnly, "../common/named-file.ts", file)).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^the lock cannot be written: it may only be read \(attempt to write a readonly/),
    });
  });
});

it("a full disk is no bug, whatever file it was; a file that is not there may be one", () => {
  const full = runWork(dir, '(await import("node:fs")).writeFileSync("/dev/full", "x");');
  const absent = runWork(dir, '(await import("node:fs")).readFileSync("/no/such/file");');
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
     import { writeNamed } from ${module("infra/common/named-file.ts")};
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

it("a file that is written anew is at no moment for more people than before", () => {
  const file = join(dir, "secret.yaml");
  writeFileSync(file, "before\n", { mode: 0o600 });
  const modes: number[] = [];
  const { chmodSync } = fs;
  const spied = vi.spyOn(fs, "chmodSync").mockImplementation((next, mode) => {
    modes.push(statSync(next).mode & 0o777);
    chmodSync(next, mode);
  });
  syncBuiltinESMExports();
  onTestFinished(() => {
    spied.mockRestore();
    syncBuiltinESMExports();
  });
  writeNamed(file, "after\n");
  expect(modes).toEqual([0o600]);
  expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual(["after\n", 0o600]);
});

it("a new file that a full disk cannot take is not there by half", () => {
  const work = `const { writeNamed } = await import(${module("infra/common/named-file.ts")});
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
  const { status, stderr } = runWork(
    dir,
    `const { makeFolder } = await import(${module("infra/common/named-file.ts")});
    makeFolder(${JSON.stringify(join(dir, "made/below"))}); makeFolder(${JSON.stringify(dir)}); makeFolder("/proc/x/y");`,
  );
  expect(stderr).toMatch(/^\/proc\/x\/y cannot be written: [^\n]*\n$/);
  expect(status).toBe(1);
  expect(existsSync(join(dir, "made/below"))).toBe(true);
});
