/** `npm run ledger` as a person runs it, against a server that exports a ledger. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../../infra/release/root.ts";
import { listening } from "../../../packages/local-account/test/listening.ts";
import {
  accountLine,
  endLine,
  GENESIS,
  headerLine,
  linesOf,
  SEGMENT,
  type Sha256,
} from "../../../worker/ledger/chain.ts";
import { type Account, NEW_ACCOUNT, type Transaction, transactionOf } from "../../../worker/ledger/rules.ts";

const sha256: Sha256 = (text) => createHash("sha256").update(text).digest("hex");
/** The newest transaction. */
const LAST = 1_005;
const dir = mkdtempSync(join(tmpdir(), "ledger-"));
let server: Server;
let url = "";
let head = "";

/** Parts of the export of a ledger in which alice pays bob 1 each second, with one segment. */
async function parts(): Promise<readonly string[]> {
  const accounts = new Map<string, Account>();
  const account = (name: string) => accounts.get(name) ?? NEW_ACCOUNT;
  const transactions: Transaction[] = [];
  for (let seq = 1; seq <= LAST; seq++) {
    const [payer, payee, amount] = seq === 1 ? ["@outside", "alice", 2_000] : ["alice", "bob", 1];
    const made = transactionOf(
      { payer, payee, amount },
      { paying: account(payer), paid: account(payee) },
      { seq, at: Date.UTC(2026, 0, 1) + seq * 1_000 },
    );
    transactions.push(made);
    accounts.set(payer, { ...account(payer), balance: made.payerBalance, last: seq });
    accounts.set(payee, { ...account(payee), balance: made.payeeBalance, last: seq });
  }
  const sealed = await linesOf(transactions.slice(0, SEGMENT), GENESIS, sha256);
  const rows = await linesOf(transactions.slice(SEGMENT), sealed.head, sha256);
  head = sealed.head;
  const header = { ledger: "eu~main", segment: 1, first: 1, last: SEGMENT, previous: GENESIS, head: GENESIS };
  const named = await Promise.all([...accounts].map(([name, one]) => accountLine("eu~main", { name, ...one }, sha256)));
  const counted = { transactions: LAST, head: rows.head, accounts: named.length, complete: true };
  const end = await endLine("eu~main", { ...counted, lines: LAST + named.length + 2 }, named, sha256);
  return [[headerLine(header), ...sealed.lines], rows.lines, [...named, end]].map((lines) =>
    lines.map((line) => `${line}\n`).join(""),
  );
}

beforeAll(async () => {
  const served = await parts();
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://host");
    if (request.headers.authorization !== "Bearer secret") {
      response.writeHead(401).end(JSON.stringify({ detail: "This needs the admin token" }));
    } else if (pathname === "/account/eu~main/export") {
      const index = Number(searchParams.get("cursor") ?? 0);
      if (index < served.length - 1) response.setHeader("Ledger-Next", String(index + 1));
      response.end(served[index]);
    } else response.writeHead(404).end();
  });
  url = `http://127.0.0.1:${await listening(server)}`;
});
afterAll(() => {
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs the command. Its output, and how it ended. */
const ledger = (...args: readonly string[]) => ledgerIn({}, ...args);

/** As above, with more in its environment. */
async function ledgerIn(more: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<{ code: number; text: string }> {
  const env = { ...process.env, ADMIN_TOKEN: "secret", ...more };
  const run = promisify(execFile)(process.execPath, ["test/ledger/command.ts", ...args], { cwd: ROOT, env });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, text: stdout + stderr }),
  );
}
const exported = (file: string, ...more: readonly string[]) =>
  ledger("export", "--url", url, "--ledger", "eu~main", "--out", file, ...more);

describe("npm run ledger", () => {
  const file = join(dir, "main.ndjson");

  it("exports all parts into one file that adds up, and never over another", async () => {
    expect(await exported(file)).toMatchObject({
      code: 0,
      text: expect.stringContaining("ok  ledger eu~main, 1005 transactions, 2 accounts"),
    });
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(1_011);
    expect(await exported(file)).toMatchObject({ code: 1, text: expect.stringContaining("nothing was written") });
  });

  it("leaves no file where the stack refuses, and says why", async () => {
    const none = join(dir, "none.ndjson");
    const { code, text } = await exported(none, "--admin-token", "guess");
    expect([code, text]).toEqual([
      1,
      expect.stringMatching(/refused the export with 401: This needs the admin token\n$/),
    ]);
    expect([existsSync(none), existsSync(`${none}.part`)]).toEqual([false, false]);
    const gone = await ledger("export", "--url", "http://127.0.0.1:2", "--ledger", "x", "--out", none);
    expect(gone).toMatchObject({ code: 1, text: expect.stringContaining("cannot be reached") });
  });

  it("does not run without an option that npm has taken, as in `npm run ledger --head … -- verify`", async () => {
    expect(await ledgerIn({ npm_config_head: GENESIS }, "verify", file)).toEqual({
      code: 1,
      text: expect.stringMatching(
        /^error: npm has taken --head for its own\. Options of a command come after `--`: npm run ledger -- …\n$/,
      ),
    });
  });

  it("verifies a file, and whether it has a head that was told before", async () => {
    expect(await ledger("verify", file, "--head", head)).toMatchObject({ code: 0 });
    expect(await ledger("verify", file, "--head", GENESIS)).toMatchObject({
      code: 1,
      text: expect.stringContaining("No transaction has the hash"),
    });
    expect(await ledger("verify", join(dir, "nope"))).toMatchObject({
      code: 1,
      text: expect.stringContaining("cannot be read"),
    });
  });

  it.each([
    [[], "996"],
    [["--at", "2026-01-01T00:00:01Z"], "2000"],
    [["--at", "2026-01-01T00:00:05.500Z"], "1996"],
    [["--at", "2025-01-01T00:00:00Z"], "0 (no transaction until then)"],
  ])("tells a balance: %j", async (at, balance) => {
    const { code, text } = await ledger("balance", file, "--account", "alice", ...at);
    expect([code, text]).toEqual([0, expect.stringMatching(`^alice: ${balance.replace(/[()]/g, "\\$&")}`)]);
  });

  it.each([
    ["the last line", (text: string) => text.split("\n").slice(0, -2).join("\n").concat("\n"), "has no end"],
    ["the last line feed", (text: string) => text.slice(0, -1), "has no end"],
    ["the newest transaction", (text: string) => text.replace(/^\{"seq":1005,.*\n/m, ""), "must be 1005"],
    ["the header", (text: string) => text.replace(/^.*\n/, ""), "lines, and must be"],
    ["an account", (text: string) => text.replace(/^.*"name":"alice".*\n/m, ""), "accounts' lines"],
  ])("sees that %s is missing", async (_, change, fault) => {
    const changed = join(dir, "shorter.ndjson");
    writeFileSync(changed, change(readFileSync(file, "utf8")));
    const { code, text } = await ledger("verify", changed);
    expect([code, text]).toEqual([1, expect.stringContaining(fault)]);
  });

  it("takes a time only if it exists, and a memo with any character", async () => {
    for (const at of ["2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00"]) {
      const refused = await ledger("balance", file, "--account", "alice", "--at", at);
      expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("a time that exists") });
    }
    const missing = await exported(join(dir, "no", "such", "folder"));
    expect(missing).toMatchObject({ code: 1, text: expect.stringContaining("There is no folder") });
  });

  it("names the changed line, and then tells no balance", async () => {
    const changed = join(dir, "changed.ndjson");
    writeFileSync(changed, readFileSync(file, "utf8").replace('"amount":1,', '"amount":2,'));
    const { code, text } = await ledger("verify", changed);
    expect([code, text]).toEqual([1, expect.stringContaining(`${changed}:3: transaction 2: its hash`)]);
    expect(await ledger("balance", changed, "--account", "alice")).toMatchObject({
      code: 1,
      text: expect.stringContaining("none is told"),
    });
  });
});
