/**
 * A moment of an SQLite file that another process has open, taken without a lock.
 *
 * A reader with locks would do harm: one that comes while workerd opens the file makes workerd's opening fail
 * (SQLITE_BUSY_RECOVERY), and that is an exception in somebody's Worker. So the two files are read as bytes: the
 * database, and then its write-ahead log, whose committed pages belong over it. A checkpoint that runs meanwhile copies
 * pages from that same log, so it takes nothing away; only a log that was begun anew, or is gone, does, and its header
 * tells. The format is SQLite's own: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const TRIES = 10;
const RETRY_MS = 10;

/** Larger files are not read: a look at one is not worth the memory. */
const MOST_BYTES = 64 * 1_024 * 1_024;

/** Thrown where a file is larger than what is read. The message says so to a person. */
export class TooLarge extends Error {}

/** The bytes of the database at one moment, its log included; undefined where there is none. @throws TooLarge. */
export async function snapshotOf(file: string): Promise<Buffer | undefined> {
  const log = `${file}-wal`;
  for (let tries = 1; ; tries++) {
    const [stamp, head] = await Promise.all([stampOf(file), headOf(log)]);
    const main = await bytesOf(file);
    const wal = await bytesOf(log);
    if (main === undefined) return undefined;
    const isOfOneMoment =
      head === undefined
        ? wal === undefined && stamp === (await stampOf(file))
        : wal !== undefined && head.equals(wal.subarray(0, LOG_HEADER));
    if (isOfOneMoment) return withLog(main, wal ?? Buffer.alloc(0));
    if (tries === TRIES) throw new Error(`${file} changes too fast to be read`);
    await sleep(RETRY_MS);
  }
}

/** Tells one state of a file from another as far as the file system does. */
async function stampOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(absent);
  return found && [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

async function headOf(log: string): Promise<Buffer | undefined> {
  return (await bytesOf(log))?.subarray(0, LOG_HEADER);
}

async function bytesOf(file: string): Promise<Buffer | undefined> {
  const size = (await stat(file).catch(absent))?.size ?? 0;
  if (size > MOST_BYTES)
    throw new TooLarge(`This has ${Math.round(size / 1_048_576)} MiB, and up to ${MOST_BYTES / 1_048_576} are read.`);
  return readFile(file).catch(absent);
}

/** For a file that is not there. */
function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

const LOG_HEADER = 32;
const FRAME_HEADER = 24;
/** Where a database says how it is written: 2 is with a log, 1 without. */
const [WRITE_VERSION, READ_VERSION] = [18, 19];

/** The database with the pages of the log's last commit over it, in the form of one that has no log. */
export function withLog(main: Buffer, log: Buffer): Buffer {
  const { pages, pageSize, size } = committed(log);
  const whole = Buffer.alloc(size === undefined ? main.length : size * pageSize);
  main.copy(whole);
  for (const [number, page] of pages) page.copy(whole, (number - 1) * pageSize);
  if (whole.length > READ_VERSION) {
    whole[WRITE_VERSION] = 1;
    whole[READ_VERSION] = 1;
  }
  return whole;
}

interface Committed {
  readonly pages: ReadonlyMap<number, Buffer>;
  readonly pageSize: number;
  /** Pages of the whole database; undefined where nothing is committed. */
  readonly size: number | undefined;
}

/** What the valid frames of a log say, up to the last commit among them. What is left of an older log is not valid. */
function committed(log: Buffer): Committed {
  const none = { pages: new Map<number, Buffer>(), pageSize: 0, size: undefined };
  if (log.length < LOG_HEADER) return none;
  const magic = log.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return none;
  const checksum = new Checksum(magic === 0x377f0683);
  checksum.add(log, 0, 24);
  if (!checksum.is(log, 24)) return none;
  const pageSize = log.readUInt32BE(8);
  let found: Committed = { ...none, pageSize };
  const pages = new Map<number, Buffer>();
  for (let at = LOG_HEADER; at + FRAME_HEADER + pageSize <= log.length; at += FRAME_HEADER + pageSize) {
    if (log.compare(log, 16, 24, at + 8, at + 16) !== 0) break;
    checksum.add(log, at, at + 8);
    checksum.add(log, at + FRAME_HEADER, at + FRAME_HEADER + pageSize);
    if (!checksum.is(log, at + 16)) break;
    pages.set(log.readUInt32BE(at), log.subarray(at + FRAME_HEADER, at + FRAME_HEADER + pageSize));
    const size = log.readUInt32BE(at + 4);
    if (size > 0) found = { pages: new Map(pages), pageSize, size };
  }
  return found;
}

/** The running checksum of a log. */
class Checksum {
  readonly #isBigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  /** Adds bytes from `start` to `end`, eight by eight. */
  add(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
    }
  }

  /** Whether this is the checksum that stands in the log. */
  is(bytes: Buffer, at: number): boolean {
    return this.#first === bytes.readUInt32BE(at) && this.#second === bytes.readUInt32BE(at + 4);
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}
