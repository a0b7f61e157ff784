/** Checks an export of a ledger: every byte, every hash, every sum. Pure but for the hash, which the caller brings. */
import { type Audit, Auditor } from "../../worker/ledger/audit.ts";
import {
  accountIn,
  damagedIn,
  type End,
  type ExportedAccount,
  endIn,
  entryAfter,
  entryIn,
  GENESIS,
  type Header,
  headerIn,
  SEGMENT,
  type Sha256,
} from "../../worker/ledger/chain.ts";
import type { Transaction } from "../../worker/ledger/rules.ts";

/** What is wrong, and in which line of the export (from 1). */
export interface Wrong {
  readonly line: number;
  readonly what: string;
}

export interface Verified extends Audit {
  /** The ledger, such as `eu~main`; undefined if the export has no line that names it. */
  readonly ledger: string | undefined;
  /** The hash of the last transaction, which stands for all. */
  readonly head: string;
  readonly wrong: readonly Wrong[];
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Checks the lines of an export, without their line feeds. `seen`: gets each transaction as it is read. */
export async function verify(
  lines: AsyncIterable<string> | Iterable<string>,
  sha256: Sha256,
  seen: (transaction: Transaction) => void = () => {},
): Promise<Verified> {
  const wrong: Wrong[] = [];
  const reader = new Reader(sha256, seen);
  let number = 0;
  for await (const line of lines) {
    number++;
    for (const what of await reader.take(line, number)) wrong.push({ line: number, what });
  }
  const { audit, missing } = reader.end();
  for (const what of missing) wrong.push({ line: number, what });
  return { ...audit, ok: audit.ok && wrong.length === 0, ledger: reader.ledger, head: reader.head, wrong };
}

class Reader {
  ledger: string | undefined;
  head = GENESIS;
  readonly #sha256: Sha256;
  readonly #seen: (transaction: Transaction) => void;
  #auditor: Auditor | undefined;
  readonly #accounts: ExportedAccount[] = [];
  readonly #accountLines: string[] = [];
  /** The segment that is being read, and its lines, to hash them. */
  #header: Header | undefined;
  #segment: string[] = [];
  #end: End | undefined;

  constructor(sha256: Sha256, seen: (transaction: Transaction) => void) {
    this.#sha256 = sha256;
    this.#seen = seen;
  }

  /** Takes a line. Returns what is wrong with it. */
  async take(line: string, number: number): Promise<readonly string[]> {
    try {
      if (this.#end) return ["there is a line after the end"];
      if (line.startsWith('{"seq":')) return await this.#entry(line);
      const [, kind] = /^\{"ledger":"(?:[^"\\]|\\.)*","(segment|account|damaged|end)":/.exec(line) ?? [];
      if (kind === "segment") return await this.#begin(line);
      if (kind === "damaged") return [damagedIn(line).why];
      if (kind === "end") return await this.#finish(line, number);
      return await this.#account(line);
    } catch (error) {
      return [messageOf(error)];
    }
  }

  end(): { readonly audit: Audit; readonly missing: readonly string[] } {
    const audit = (this.#auditor ?? new Auditor()).end(this.#accounts, this.#end?.complete ?? true);
    return { audit, missing: this.#end ? [] : ["the export has no end: something after this line is missing"] };
  }

  async #entry(line: string): Promise<readonly string[]> {
    this.#segment.push(line);
    const { transaction, hash } = entryIn(line);
    // A ledger that was deleted once begins with a higher number.
    this.#auditor ??= new Auditor(transaction.seq - 1);
    const said = [...this.#auditor.add(transaction)];
    const chained = await entryAfter(this.head, line, this.#sha256).catch((error) => messageOf(error));
    if (typeof chained === "string") said.unshift(`transaction ${transaction.seq}: ${chained}`);
    this.head = hash;
    this.#seen(transaction);
    return said;
  }

  async #begin(line: string): Promise<readonly string[]> {
    const header = headerIn(line);
    const before = this.#header;
    const hash = before ? await this.#sha256(`${this.#segment.join("\n")}\n`) : GENESIS;
    const said: string[] = [];
    const expect = (name: keyof Header, value: string | number) => {
      if (header[name] !== value) said.push(`segment ${header.segment}: ${name} is ${header[name]}, not ${value}`);
    };
    expect("segment", (before?.segment ?? 0) + 1);
    expect("previous", hash);
    expect("head", this.head);
    if (this.#auditor) expect("first", this.#auditor.newest + 1);
    expect("last", header.first + SEGMENT - 1);
    if (this.ledger !== undefined) expect("ledger", this.ledger);
    this.ledger ??= header.ledger;
    this.#header = header;
    this.#segment = [line];
    return said;
  }

  async #account(line: string): Promise<readonly string[]> {
    this.#accountLines.push(line);
    const { ledger, account } = await accountIn(line, this.#sha256);
    const before = this.#accounts.at(-1);
    this.#accounts.push(account);
    this.ledger ??= ledger;
    if (ledger !== this.ledger) return [`it is of the ledger ${ledger}, and not of ${this.ledger}`];
    if (before?.name === account.name) return [`account ${account.name}: is there twice`];
    return [];
  }

  async #finish(line: string, number: number): Promise<readonly string[]> {
    const end = await endIn(line, this.#accountLines, this.#sha256);
    this.#end = end;
    const { transactions, head, accounts, lines } = end;
    const newest = this.#auditor?.newest ?? 0;
    return [
      ...(newest === transactions ? [] : [`the last transaction is ${newest}, and must be ${transactions}`]),
      ...(head === this.head ? [] : [`the last hash is ${this.head}, and must be ${head}`]),
      ...(accounts === this.#accounts.length ? [] : [`${this.#accounts.length} accounts, and must be ${accounts}`]),
      ...(lines === number ? [] : [`${number} lines, and must be ${lines}`]),
    ];
  }
}
