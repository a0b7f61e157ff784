/** Snapshots, temporary accounts, and the command that runs another with an account. */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, it, onTestFinished, vi } from "vitest";
import { Account } from "../src/account.ts";
import { environmentOf, runningAccount } from "../src/address.ts";
import { load, save } from "../src/snapshot-commands.ts";
import { loadSnapshot, saveSnapshot } from "../src/snapshots.ts";
import { makeSnapshot, startTemporaryAccount } from "../src/testing.ts";
import { account, live, refusal, TestAccount, temporaryDirectory } from "./support.ts";

const COUNTER = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter") };
const run = promisify(execFile);
const BIN = path.join(import.meta.dirname, "../src/bin.ts");

const count = async (test: TestAccount) => (await test.ask("app", "/Counter/one")).json().count;

it("gives each copy the Workers and the data of the snapshot, and nothing of another copy", async () => {
  const folder = path.join(temporaryDirectory(), "snapshot");
  await makeSnapshot(folder, async (running) => {
    const test = new TestAccount(running);
    await test.deploy("app", COUNTER);
    expect(await count(test)).toBe(1);
  });
  // It is what a snapshot is for: no Worker is deployed again.
  const inspected = vi.spyOn(Account.prototype, "inspect").mockRejectedValue(new Error("deployed again"));
  const changed = vi.spyOn(Account.prototype, "change").mockRejectedValue(new Error("changed"));
  onTestFinished(() => void vi.restoreAllMocks());
  await using first = await startTemporaryAccount({ snapshot: folder });
  await using second = await startTemporaryAccount({ snapshot: folder });
  expect(await count(new TestAccount(first))).toBe(2);
  expect(await count(new TestAccount(first))).toBe(3);
  expect(await count(new TestAccount(second))).toBe(2);
  expect([...inspected.mock.calls, ...changed.mock.calls]).toEqual([]);
});

it("saves an account that runs: requests wait, and what was written before is in it", async () => {
  const test = await account();
  await test.deploy("app", COUNTER);
  const folder = path.join(temporaryDirectory(), "saved");
  await count(test);
  const [saved, during] = await Promise.all([test.sdk.post("/local/snapshot", { body: { folder } }), count(test)]);
  expect(saved).toMatchObject({ success: true });
  expect(during).toBe(2);
  const dir = path.join(temporaryDirectory(), "loaded");
  await loadSnapshot(folder, dir);
  expect(await count(await account({ dir }))).toBeGreaterThanOrEqual(2);
});

it("loses nothing: it refuses a folder that has something in it", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await expect(saveSnapshot(dir, path.join(dir, "saved"))).rejects.toThrow("is in use by another account");
  await test.close();
  const full = path.join(temporaryDirectory(), "full");
  mkdirSync(full);
  writeFileSync(path.join(full, "notes.txt"), "mine");
  await expect(saveSnapshot(dir, full)).rejects.toThrow("is not empty");
  await expect(loadSnapshot(full, temporaryDirectory())).rejects.toThrow("is no snapshot");
  for (const folder of [full, path.join(full, "notes.txt")])
    await expect(makeSnapshot(folder, async () => {})).rejects.toThrow("is no snapshot, so it stays");
  const saved = path.join(temporaryDirectory(), "saved");
  await saveSnapshot(dir, saved);
  await expect(loadSnapshot(saved, dir)).rejects.toThrow("--fresh");
  expect(existsSync(path.join(full, "notes.txt"))).toBe(true);
});

/** An account that does not run, with one Worker whose counter is at 1, and a snapshot of another. */
async function anAccountAndASnapshot() {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.deploy("app", COUNTER);
  await count(test);
  await test.close();
  const snapshot = path.join(temporaryDirectory(), "snapshot");
  await makeSnapshot(snapshot, async (running) => void (await new TestAccount(running).ensure("other")));
  return { dir, snapshot, isThere: async () => count(await account({ dir })) };
}

it("makes a snapshot in place of a snapshot only, and keeps what else is in the folder", async () => {
  const { dir, snapshot, isThere } = await anAccountAndASnapshot();
  const again = (folder: string) =>
    makeSnapshot(folder, async (running) => void (await new TestAccount(running).ensure("again")));
  const workersOf = async (folder: string) => {
    await using copy = await startTemporaryAccount({ snapshot: folder });
    return (await new TestAccount(copy).workers()).names;
  };
  writeFileSync(path.join(snapshot, "notes.txt"), "mine");
  await again(snapshot);
  expect(await workersOf(snapshot)).toEqual(["again"]);
  expect(existsSync(path.join(snapshot, "notes.txt"))).toBe(true);

  // An account that does not run has the files of a snapshot.
  const filled = vi.fn();
  await expect(makeSnapshot(dir, filled)).rejects.toThrow(/is not marked as a snapshot.*Choose another folder/);
  expect(filled).not.toHaveBeenCalled();
  expect(await isThere()).toBe(2);

  // So has a snapshot that somebody has begun to work with.
  const running = await account({ dir: snapshot });
  await expect(again(snapshot)).rejects.toThrow("is not marked as a snapshot");
  await running.close();
  await expect(again(snapshot)).rejects.toThrow("is not marked as a snapshot");
  expect(await workersOf(snapshot)).toEqual(["again"]);
});

it("keeps the older snapshot until the new one is complete", async () => {
  const { snapshot } = await anAccountAndASnapshot();
  const before = readdirSync(snapshot, { recursive: true }).sort();
  vi.stubEnv("TMPDIR", temporaryDirectory());
  onTestFinished(() => void vi.unstubAllEnvs());
  const spoil = async () => {
    const [dir = ""] = readdirSync(tmpdir());
    // No copy of a pipe can be made.
    execFileSync("mkfifo", [path.join(tmpdir(), dir, "data/pipe")]);
  };
  await expect(makeSnapshot(snapshot, spoil)).rejects.toThrow("cannot be written");
  expect(readdirSync(snapshot, { recursive: true }).sort()).toEqual(before);
});

it("loses no account for a snapshot that is none, or is the account itself", async () => {
  const { dir, isThere } = await anAccountAndASnapshot();
  await expect(load(path.join(dir, "typo"), dir, true)).rejects.toThrow("is no snapshot");
  await expect(load(dir, dir, true)).rejects.toThrow("is the account itself");
  expect(await isThere()).toBe(2);
});

it("loses no account for a snapshot that cannot be copied, and leaves nothing of it", async () => {
  const { dir, snapshot, isThere } = await anAccountAndASnapshot();
  const names = readdirSync(dir);
  // No copy of a pipe can be made.
  execFileSync("mkfifo", [path.join(snapshot, "data/pipe")]);
  await expect(load(snapshot, dir, true)).rejects.toThrow("cannot be written");
  expect(readdirSync(dir)).toEqual(names);
  const fresh = path.join(temporaryDirectory(), "fresh");
  await expect(load(snapshot, fresh, false)).rejects.toThrow("cannot be written");
  expect(existsSync(fresh)).toBe(false);
  rmSync(path.join(snapshot, "data/pipe"));
  await load(snapshot, dir, true);
  await expect(isThere()).rejects.toThrow();
});

it("saves all of it or nothing", async () => {
  const { dir } = await anAccountAndASnapshot();
  const folder = path.join(temporaryDirectory(), "saved");
  execFileSync("mkfifo", [path.join(dir, "data/pipe")]);
  await expect(save(dir, folder)).rejects.toThrow("cannot be written");
  expect(existsSync(folder)).toBe(false);
  const file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, "mine");
  await expect(save(dir, file)).rejects.toThrow("cannot be written");
});

it("copies no account that runs, whose files change meanwhile", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const into = path.join(temporaryDirectory(), "into");
  const refused = `${dir} is no snapshot: the account there is running (process ${process.pid}). Save one of it first`;
  await expect(load(dir, into, false)).rejects.toThrow(refused);
  await expect(startTemporaryAccount({ snapshot: dir })).rejects.toThrow(refused);
  expect(existsSync(into)).toBe(false);
  await test.close();
  await load(dir, into, false);
});

it("loses no folder of somebody's own that has the name of an account's", async () => {
  const { snapshot } = await anAccountAndASnapshot();
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "data"));
  writeFileSync(path.join(dir, "data/notes.txt"), "mine");
  for (const fresh of [false, true]) await expect(load(snapshot, dir, fresh)).rejects.toThrow("no account's");
  expect(existsSync(path.join(dir, "data/notes.txt"))).toBe(true);
});

it("deletes no data for a new account, of somebody's own or of an account whose state is lost", async () => {
  const dir = temporaryDirectory();
  const own = path.join(dir, "data/do/0123456789abcdef0123456789abcdef");
  mkdirSync(own, { recursive: true });
  writeFileSync(path.join(own, "notes.txt"), "mine");
  await expect(account({ dir })).rejects.toThrow(/data is not empty, and no account's.*another --dir/);
  expect(readdirSync(dir)).toEqual(["data"]);
  expect(existsSync(path.join(own, "notes.txt"))).toBe(true);

  const { dir: lost, snapshot } = await anAccountAndASnapshot();
  const files = () => readdirSync(path.join(lost, "data"), { recursive: true }).sort();
  const before = files();
  for (const name of readdirSync(lost)) if (/^account\.db-/.test(name)) rmSync(path.join(lost, name));
  writeFileSync(path.join(lost, "account.db"), "");
  await expect(account({ dir: lost })).rejects.toThrow(/has no account in it, but .*snapshot.*another --dir.*--fresh/);
  expect(files()).toEqual(before);
  await load(snapshot, lost, true);
  await account({ dir: lost });
});

it.runIf(process.platform === "linux")(
  "refuses a folder below /proc, where none can be made, and goes on",
  async () => {
    const test = await account();
    const save = (folder: string) => refusal(test.sdk.post("/local/snapshot", { body: { folder } }));
    for (const folder of ["/proc/x", "/proc/x/y"])
      expect(await save(folder)).toMatchObject({ status: 400, message: expect.stringContaining("cannot be written") });
    expect((await test.workers()).names).toEqual([]);
    await expect(account({ dir: "/proc/x" })).rejects.toThrow("cannot be the folder of an account");
  },
);

it("keeps secrets and data from other users, whoever has made the folder", async () => {
  const { dir, snapshot } = await anAccountAndASnapshot();
  const folders = [dir, temporaryDirectory(), temporaryDirectory()] as const;
  for (const folder of folders) chmodSync(folder, 0o755);
  await account({ dir }).then((test) => test.close());
  await save(dir, folders[1]);
  await load(snapshot, folders[2], false);
  for (const folder of folders)
    for (const name of ["account.db", "data", "assets"])
      expect(statSync(path.join(folder, name)).mode & 0o077, `${folder}/${name}`).toBe(0);
});

it("says in words what is wrong with a folder, or a damaged state", async () => {
  const { dir, snapshot } = await anAccountAndASnapshot();
  const file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, "mine");
  await expect(account({ dir: file })).rejects.toThrow(/cannot be the folder of an account .*Choose another --dir/);
  writeFileSync(path.join(dir, "account.db"), "not a database, but long enough to be looked at".repeat(100));
  await expect(account({ dir })).rejects.toThrow(/account\.db cannot be read \(.*\(snapshot load --fresh\)/);
  await load(snapshot, dir, true);
  await account({ dir });
});

it.each([
  ["in its records", 1],
  ["in its modules", 3],
])("says so where the state is damaged %s, and can begin anew", async (_, page) => {
  const { dir } = await anAccountAndASnapshot();
  const file = path.join(dir, "account.db");
  writeFileSync(file, readFileSync(file).fill(0xff, page * 4096));
  const refused = /account\.db cannot be read \(.*malformed\).*lose that account with --fresh/;
  await expect(account({ dir })).rejects.toThrow(refused);
  // The file is not left open: it could not be opened again.
  await expect(account({ dir })).rejects.toThrow(refused);
  const test = await account({ dir, fresh: true });
  expect((await test.workers()).names).toEqual([]);
});

it("says so where a record of the state is damaged", async () => {
  const { dir } = await anAccountAndASnapshot();
  const db = new DatabaseSync(path.join(dir, "account.db"));
  db.exec("UPDATE records SET record = '{' WHERE collection = 'workers'");
  db.close();
  await expect(account({ dir })).rejects.toThrow(
    /account\.db cannot be read \(.*JSON.*\).*lose that account with --fresh/,
  );
  await account({ dir, fresh: true });
});

it("takes no other process for an account that was killed, nor another account at its port", async () => {
  const { dir, snapshot } = await anAccountAndASnapshot();
  const { running } = await account({ dir });
  await expect(load(snapshot, dir, true)).rejects.toThrow(`is running (process ${process.pid})`);
  // What the killed one left has the id of a process that runs, and the port of another account.
  const left = temporaryDirectory();
  const { apiUrl, token } = running;
  const leave = (pid: number) =>
    writeFileSync(path.join(left, "account.json"), JSON.stringify({ apiUrl, token, accountId: "f".repeat(32), pid }));
  leave(process.pid);
  await expect(run(process.execPath, [BIN, "env", "--dir", left])).rejects.toMatchObject({
    stderr: expect.stringContaining(`No local account runs in ${left}.`),
  });
  await load(snapshot, left, false);
  for (const pid of [0, -1, 0.5]) {
    leave(pid);
    expect(runningAccount(left), `${pid}`).toBeUndefined();
  }
});

it("prints what a shell takes for an account's address, and never for a command", () => {
  const token = "it's $(echo run) `echo run` \"\\ \n*";
  const commands = environmentOf({ apiUrl: "http://127.0.0.1:8788/client/v4", accountId: "a".repeat(32), token });
  const script = 'eval "$0"; printf "%s|%s" "$CLOUDFLARE_API_TOKEN" "$CLOUDFLARE_BASE_URL"';
  expect(execFileSync("sh", ["-c", script, commands], { encoding: "utf8" })).toBe(
    `${token}|http://127.0.0.1:8788/client/v4`,
  );
});

it("runs a command with an account of its own, and ends with its exit code", async () => {
  const cwd = temporaryDirectory();
  const script = `
    const at = process.env.CLOUDFLARE_API_BASE_URL + "/accounts/" + process.env.CLOUDFLARE_ACCOUNT_ID + "/workers/workers";
    const answer = await fetch(at, { headers: { authorization: "Bearer " + process.env.CLOUDFLARE_API_TOKEN } });
    const { result } = await answer.json();
    console.log(result.map(({ name }) => name).join());
    process.exitCode = result.length === 0 ? 3 : 0;`;
  const command = ["--", process.execPath, "--input-type=module", "-e", script];
  await expect(run(process.execPath, [BIN, "run", ...command], { cwd })).rejects.toMatchObject({ code: 3 });
  // With a folder, the account stays, and a snapshot of it brings the Worker to another.
  await makeSnapshot(path.join(cwd, "saved"), async (running) => void (await new TestAccount(running).ensure("app")));
  const { stdout } = await run(process.execPath, [BIN, "run", "--snapshot", "saved", ...command], { cwd });
  expect(stdout.trim()).toBe("app");
  await run(process.execPath, [BIN, "snapshot", "load", "saved", "--dir", "kept"], { cwd });
  const kept = await run(process.execPath, [BIN, "run", "--dir", "kept", ...command], { cwd });
  expect(kept.stdout.trim()).toBe("app");
  await run(process.execPath, [BIN, "snapshot", "save", "again", "--dir", "kept"], { cwd });
  expect(existsSync(path.join(cwd, "again/account.db"))).toBe(true);
  await expect(run(process.execPath, [BIN, "run", "--", "no-such-command"], { cwd })).rejects.toMatchObject({
    code: 1,
    stderr: "no-such-command cannot be run: spawn no-such-command ENOENT\n",
  });
  const aborts = ["--", process.execPath, "-e", "process.abort()"];
  await expect(run(process.execPath, [BIN, "run", ...aborts], { cwd })).rejects.toMatchObject({
    code: 128 + constants.signals.SIGABRT,
  });
});

it("starts with the plan, the faults and the Worker of the address that its command line names", async () => {
  const cwd = temporaryDirectory();
  await makeSnapshot(path.join(cwd, "saved"), async (running) => {
    const test = new TestAccount(running);
    for (const name of ["one", "two"]) await test.deploy(name, { tag: name });
  });
  const script = `
    const at = process.env.CLOUDFLARE_API_BASE_URL + "/accounts/" + process.env.CLOUDFLARE_ACCOUNT_ID;
    const headers = { authorization: "Bearer " + process.env.CLOUDFLARE_API_TOKEN, "content-type": "application/json" };
    const status = async (path, init) => (await fetch(at + path, { headers, ...init })).status;
    const file = (_, index) => ["/" + index, { hash: String(index).padStart(32, "0"), size: 1 }];
    const body = JSON.stringify({ manifest: Object.fromEntries(Array.from({ length: 20_001 }, file)) });
    console.log(JSON.stringify([
      await status("/queues"), await status("/r2/buckets"), await status("/workers/workers"),
      await status("/workers/scripts/one/assets-upload-session", { method: "POST", body }),
      (await (await fetch(process.env.LOCAL_ACCOUNT_URL)).json()).tag,
    ]));`;
  const options = ["--plan", "free", "--fault", "GET */queues 503", "--fault", "GET */buckets 429", "--worker", "two"];
  const command = ["--", process.execPath, "--input-type=module", "-e", script];
  const { stdout } = await run(process.execPath, [BIN, "run", "--snapshot", "saved", ...options, ...command], { cwd });
  expect(JSON.parse(stdout)).toEqual([503, 429, 200, 400, "two"]);
});

it.each<[args: string[], words: string]>([
  [["run"], "run takes a command: "],
  [["run", "--"], "run takes a command: "],
  [["rum", "--", "true"], "There is no command rum."],
  [["env", "more"], "env takes no more."],
  [["run", "--snapshot", "saved", "--fresh", "--", "true"], "--snapshot and --fresh exclude each other"],
  [["--plan", "gratis"], "--plan gratis: a plan is free or paid."],
  [["--fault", "GET /x 418"], "--fault: fault 'GET /x 418': '418' is not a kind of fault."],
])("says what is wrong with the command line %j", async (args, words) => {
  await expect(run(process.execPath, [BIN, ...args], { cwd: temporaryDirectory() })).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(words),
  });
});
