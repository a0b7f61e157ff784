/** `npm run ledger`: exports a ledger into a file, and checks it or answers from it without a network. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { Command, InvalidArgumentError } from "commander";
import * as v from "valibot";
import { runCommand } from "../../infra/commands/command.ts";
import { workerUrl } from "../../infra/commands/options.ts";
import { attempt, mustBeWritable, refusal } from "../../infra/common/named-file.ts";
import { UserError } from "../../infra/common/user-error.ts";
import type { Sha256 } from "../../worker/ledger/chain.ts";
import type { Transaction } from "../../worker/ledger/rules.ts";
import { timeIn } from "../../worker/ledger/time.ts";
import { type Verified, verify } from "./verify.ts";

const sha256: Sha256 = (text) => createHash("sha256").update(text).digest("hex");
const MAX_SHOWN = 20;
const Problem = v.pipe(v.string(), v.parseJson(), v.object({ detail: v.string() }));

const program = new Command("npm run ledger --").description(
  "Exports a ledger with its archive, and checks the export offline: chain, sums, and the balance of any account at any time.",
);

interface ExportOptions {
  readonly url: URL;
  readonly ledger: string;
  readonly out: string;
  readonly adminToken?: string;
}

program
  .command("export")
  .description("write a ledger into a file, and check it")
  .requiredOption(
    "--url <url>",
    "where the stack answers, such as https://durable-stack.example.workers.dev",
    workerUrl,
  )
  .requiredOption("--ledger <ledger>", "the ledger, such as main or eu~main")
  .requiredOption("--out <file>", "the file to write; it must not be there yet")
  .option("--admin-token <token>", "the stack's admin token (default: $ADMIN_TOKEN)")
  .action(async ({ url, ledger, out, adminToken = process.env.ADMIN_TOKEN }: ExportOptions) => {
    if (existsSync(out)) throw new UserError(`${out} is there already. Choose another file; nothing was written.`);
    if (!existsSync(path.dirname(path.resolve(out)))) throw new UserError(`There is no folder ${path.dirname(out)}.`);
    const part = `${out}.part`;
    mustBeWritable(part);
    try {
      const bytes = await download(new URL(`/account/${encodeURIComponent(ledger)}/export`, url), adminToken, part);
      if (bytes === 0) throw new UserError(`The ledger ${ledger} has no transactions. Nothing was written.`);
      attempt(out, "written", () => renameSync(part, out));
    } finally {
      rmSync(part, { force: true });
    }
    report(out, await check(out));
  });

program
  .command("verify")
  .description("check an export: every byte, the chain of hashes, every balance, and that money is conserved")
  .argument("<file>")
  .option(
    "--head <hash>",
    "the hash that the export must end with or contain, from an audit or an earlier export",
    hash,
  )
  .action(async (file: string, { head }: { head?: string }) => {
    let found = head === undefined;
    const verified = await check(file, (line) => {
      if (line.startsWith('{"seq":') && line.endsWith(`"hash":"${head}"}`)) found = true;
    });
    report(file, verified);
    if (!found) {
      console.log(`No transaction has the hash ${head}: this is not the ledger that had it, or it was written anew.`);
      process.exitCode = 1;
    }
  });

interface BalanceOptions {
  readonly account: string;
  readonly at?: number;
}

program
  .command("balance")
  .description("tell an account's balance at a time, from an export that is checked first")
  .argument("<file>")
  .requiredOption("--account <name>", "the account")
  .option("--at <time>", "a time, such as 2026-11-27T08:00:00Z, or ms since the epoch (default: the end)", time)
  .action(async (file: string, { account, at = Number.POSITIVE_INFINITY }: BalanceOptions) => {
    let balance = 0;
    let last = 0;
    const verified = await check(file, undefined, (transaction) => {
      if (transaction.at > at) return;
      const { seq, payer, payee, payerBalance, payeeBalance } = transaction;
      if (payer === account || payee === account) {
        balance = payer === account ? payerBalance : payeeBalance;
        last = seq;
      }
    });
    if (!verified.ok) {
      report(file, verified);
      throw new UserError("A balance of a ledger that does not add up means nothing, so none is told.");
    }
    const since = last === 0 ? "no transaction until then" : `since transaction ${last}`;
    console.log(`${account}: ${balance} (${since})`);
  });

await runCommand(program);

/**
 * Writes all parts of an export, and returns their bytes.
 * @throws UserError if the stack refuses it, or cannot be reached, or the file cannot be written.
 */
async function download(url: URL, token: string | undefined, file: string): Promise<number> {
  const out = createWriteStream(file);
  await pipeline(partsOf(url, token), out).catch((error: unknown) => {
    throw refusal(file, "written", error) ?? error;
  });
  return out.bytesWritten;
}

/** The parts of an export, one after the other. @throws UserError if the stack refuses it, or cannot be reached. */
async function* partsOf(url: URL, token: string | undefined): AsyncGenerator<string> {
  const unreached = (error: unknown) =>
    new UserError(`${url.origin} cannot be reached: ${(error instanceof Error && error.cause) || error}`);
  for (let cursor: string | null = ""; cursor !== null; ) {
    const response: Response = await fetch(new URL(`?cursor=${cursor}`, url), {
      headers: token === undefined || token === "" ? {} : { Authorization: `Bearer ${token}` },
    }).catch((error) => {
      throw unreached(error);
    });
    const text = await response.text().catch((error) => {
      throw unreached(error);
    });
    if (!response.ok)
      throw new UserError(`${url.origin} refused the export with ${response.status}: ${detailOf(text)}`);
    yield text;
    // Older stacks encode it for a URL; others send what needs no encoding there.
    cursor = response.headers.get("Ledger-Next");
  }
}

/** What a problem says (RFC 9457); the whole text if it is none. */
function detailOf(text: string): string {
  const parsed = v.safeParse(Problem, text);
  return parsed.success ? parsed.output.detail : text;
}

/** Reads and checks a file. @throws UserError if it cannot be read. */
async function check(
  file: string,
  onLine: (line: string) => void = () => {},
  seen: (transaction: Transaction) => void = () => {},
): Promise<Verified> {
  async function* lines() {
    for await (const line of linesOf(file)) {
      onLine(line);
      yield line;
    }
  }
  return verify(lines(), sha256, seen);
}

/** The lines of a file. Only a line feed ends one: a memo may have other characters that some take for its end. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const chunk of createReadStream(file, "utf8")) {
      const [first = "", ...others] = String(chunk).split("\n");
      const last = others.pop();
      rest += first;
      if (last === undefined) continue;
      yield rest;
      yield* others;
      rest = last;
    }
  } catch (error) {
    throw refusal(file, "read", error) ?? error;
  }
  // A file that was cut off ends without a line feed. What is left is no whole line.
  if (rest !== "") yield `${rest} (cut off)`;
}

function report(file: string, { ok, ledger, transactions, accounts, head, wrong, faults, complete }: Verified): void {
  for (const { line, what } of wrong.slice(0, MAX_SHOWN)) console.log(`${file}:${line}: ${what}`);
  if (wrong.length > MAX_SHOWN) console.log(`… and ${wrong.length - MAX_SHOWN} more lines`);
  const said = new Set(wrong.map(({ what }) => what));
  for (const fault of faults.filter((one) => !said.has(one))) console.log(`${file}: ${fault}`);
  if (!ok) process.exitCode = 1;
  console.log(
    `${ok ? "ok" : "FAIL"}  ledger ${ledger ?? "unknown"}, ${many(transactions, "transaction")}, ${many(accounts, "account")}`,
  );
  if (!complete) console.log("    not all accounts were exported, so not all were compared");
  console.log(`    head ${head}`);
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function hash(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 64 hexadecimal digits, as in an audit.");
}

function time(text: string): number {
  const value = timeIn(text);
  if (!Number.isNaN(value)) return value;
  throw new InvalidArgumentError("It must be a time that exists, such as 2026-11-27T08:00:00Z, or ms since the epoch.");
}
