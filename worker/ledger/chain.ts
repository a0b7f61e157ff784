/**
 * The archive's format: NDJSON segments in a hash chain. Pure but for the hash, which the Worker and the command
 * (test/ledger/command.ts) bring.
 *
 * A segment begins with a header, which has the hash of the segment before; each line after it is a transaction with its
 * hash, which is made of the hash before it and the rest of its line. So the last hash, the head, stands for all
 * transactions up to there.
 */
import * as v from "valibot";
import { KINDS, type Transaction } from "./rules.ts";

/** SHA-256 of a text in UTF-8, as 64 hexadecimal digits. */
export type Sha256 = (text: string) => string | Promise<string>;

/** Transactions of a segment. */
export const SEGMENT = 1_000;
/** The head of a ledger without transactions. */
export const GENESIS = "0".repeat(64);

const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const Header = v.strictObject({
  /** Such as `eu~main`. */
  ledger: v.string(),
  /** From 1. */
  segment: Whole,
  /** The numbers of its first and last transaction. */
  first: Whole,
  last: Whole,
  /** The hash of the whole segment before; `GENESIS` for the first. */
  previous: Hash,
  /** The hash of the transaction before its first. */
  head: Hash,
});
export type Header = v.InferOutput<typeof Header>;

const Balance = v.pipe(v.number(), v.safeInteger());
const EntryLine = v.strictObject({
  seq: Whole,
  at: Whole,
  payer: v.string(),
  payee: v.string(),
  amount: Whole,
  payerBalance: Balance,
  payeeBalance: Balance,
  payerPrevious: Whole,
  payeePrevious: Whole,
  kind: v.exactOptional(v.picklist(KINDS)),
  of: v.exactOptional(Whole),
  due: v.exactOptional(Whole),
  target: v.exactOptional(v.string()),
  memo: v.exactOptional(v.string()),
  reference: v.exactOptional(v.string()),
  hash: Hash,
});

/** A transaction and its hash. */
export interface Hashed {
  readonly transaction: Transaction;
  readonly hash: string;
}

/** A transaction as JSON without its hash. The order of the members is part of the format. */
function bare({ seq, at, payer, payee, amount, kind, of, due, target, memo, reference, ...rest }: Transaction): string {
  const { payerBalance, payeeBalance, payerPrevious, payeePrevious } = rest;
  const entries = { payerBalance, payeeBalance, payerPrevious, payeePrevious };
  return JSON.stringify({ seq, at, payer, payee, amount, ...entries, kind, of, due, target, memo, reference });
}

/** The line of a transaction whose hash is known, without a line feed. */
const withHash = (text: string, hash: string) => `${text.slice(0, -1)},"hash":"${hash}"}`;

/** The lines of transactions that follow the hash `head`, and the hash of the last. */
export async function linesOf(
  transactions: readonly Transaction[],
  head: string,
  sha256: Sha256,
): Promise<{ readonly lines: string[]; readonly head: string }> {
  const lines: string[] = [];
  let last = head;
  for (const transaction of transactions) {
    const text = bare(transaction);
    last = await sha256(`${last}\n${text}`);
    lines.push(withHash(text, last));
  }
  return { lines, head: last };
}

/** The first line of a segment, without a line feed. */
export const headerLine = (header: Header): string => JSON.stringify(header);

/** The transaction of a line. @throws Error saying what is wrong with it. */
export function entryIn(line: string): Hashed {
  const { hash, ...transaction } = parse(EntryLine, line);
  if (withHash(bare(transaction), hash) !== line) throw new Error("it is not written as the ledger writes it");
  return { transaction, hash };
}

/** The same, with its hash compared with what it must be. */
export async function entryAfter(head: string, line: string, sha256: Sha256): Promise<Hashed> {
  const entry = entryIn(line);
  const hash = await sha256(`${head}\n${bare(entry.transaction)}`);
  if (hash !== entry.hash) throw new Error("its hash does not follow from what is before it");
  return entry;
}

/** The header of a line. @throws Error saying what is wrong with it. */
export function headerIn(line: string): Header {
  const header = parse(Header, line);
  if (headerLine(header) !== line) throw new Error("it is not written as the ledger writes it");
  return header;
}

const AccountLine = v.strictObject({
  ledger: v.string(),
  account: v.strictObject({
    name: v.string(),
    balance: Balance,
    last: Whole,
    overdraft: Whole,
    frozen: v.boolean(),
    received: Whole,
  }),
  hash: Hash,
});
export type ExportedAccount = v.InferOutput<typeof AccountLine>["account"];

/** The line of an account in an export, without a line feed. Its hash is of the line itself. */
export async function accountLine(ledger: string, account: ExportedAccount, sha256: Sha256): Promise<string> {
  const { name, balance, last, overdraft, frozen, received } = account;
  const text = JSON.stringify({ ledger, account: { name, balance, last, overdraft, frozen, received } });
  return withHash(text, await sha256(text));
}

/** The account of a line, and its ledger. @throws Error saying what is wrong with it. */
export async function accountIn(
  line: string,
  sha256: Sha256,
): Promise<{ readonly ledger: string; readonly account: ExportedAccount }> {
  const { ledger, account } = parse(AccountLine, line);
  if ((await accountLine(ledger, account, sha256)) !== line) throw new Error(`account ${account.name}: it was changed`);
  return { ledger, account };
}

const DamagedLine = v.strictObject({
  ledger: v.string(),
  damaged: v.strictObject({ segment: Whole, first: Whole, last: Whole, why: v.string() }),
});

/** The line in the place of a segment that cannot be read. */
export const damagedLine = (line: v.InferOutput<typeof DamagedLine>): string => JSON.stringify(line);

/** What is in the place of a segment. @throws Error if it is another line. */
export const damagedIn = (line: string): v.InferOutput<typeof DamagedLine>["damaged"] =>
  parse(DamagedLine, line).damaged;

const EndLine = v.strictObject({
  ledger: v.string(),
  end: v.strictObject({
    /** The number and the hash of the last transaction. */
    transactions: Whole,
    head: Hash,
    /** The lines of accounts, and whether these are all accounts. */
    accounts: Whole,
    complete: v.boolean(),
    /** All lines, with this one. */
    lines: Whole,
  }),
  hash: Hash,
});
export type End = v.InferOutput<typeof EndLine>["end"];

/** The last line of an export. Its hash is of itself and of the accounts' lines. */
export async function endLine(
  ledger: string,
  { transactions, head, accounts, complete, lines }: End,
  accountLines: readonly string[],
  sha256: Sha256,
): Promise<string> {
  const text = JSON.stringify({ ledger, end: { transactions, head, accounts, complete, lines } });
  return withHash(text, await sha256([...accountLines, text].join("\n")));
}

/** The end of an export. @throws Error if it does not follow from the accounts' lines. */
export async function endIn(line: string, accountLines: readonly string[], sha256: Sha256): Promise<End> {
  const { ledger, end } = parse(EndLine, line);
  if ((await endLine(ledger, end, accountLines, sha256)) !== line) {
    throw new Error("the accounts' lines are not those that were exported");
  }
  return end;
}

function parse<S extends v.GenericSchema>(schema: S, line: string): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new Error("it is not JSON");
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new Error(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}
