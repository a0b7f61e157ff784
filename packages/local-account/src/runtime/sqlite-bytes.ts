/**
 * Reads the bytes of an SQLite file at one moment while another process has it open, without a lock.
 *
 * A lock would do harm: if it is held while workerd opens the file, workerd fails (SQLITE_BUSY_RECOVERY), which is an
 * exception in somebody's Worker. So this reads two files as bytes: the database, and then its write-ahead log, whose
 * committed pages replace those of the database. A checkpoint in between only copies pages from that same log, so
 * nothing is lost. If the log was restarted or removed in between, its header shows it, and the read is repeated. The
 * format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { open, readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const TRIES = 20;
/** Of the first wait; each is longer by as much. */
const RETRY_MS = 10;

/** Larger files are not read, to save memory. */
const MOST_BYTES = 64 * 1_024 * 1_024;

/** Thrown for a file over MOST_BYTES. The message is for a person. */
export class TooLarge extends Error {}

/** The bytes of the database at one moment, with its log; undefined if there is none. @throws TooLarge. */
export async function databaseBytes(file: string): Promise<Buffer | undefined> {
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
    await sleep(RETRY_MS * tries);
  }
}

/** A mark that changes with the file, as far as the file system can tell. */
async function stampOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(absent);
  return found && [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

async function headOf(log: string): Promise<Buffer | undefined> {
  const handle = await open(log).catch(absent);
  if (handle === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOG_HEADER), 0, LOG_HEADER, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function bytesOf(file: string): Promise<Buffer | undefined> {
  const size = (await stat(file).catch(absent))?.size ?? 0;
  if (size > MOST_BYTES)
    throw new TooLarge(
      `This has ${Math.round(size / 1_048_576)} MiB; only up to ${MOST_BYTES / 1_048_576} MiB are read.`,
    );
  return readFile(file).catch(absent);
}

/** Turns the error of a missing file into undefined. */
function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

const LOG_HEADER = 32;
const FRAME_HEADER = 24;
/** The bytes of a database that say whether it has a log: 2 is with, 1 is without. */
const [WRITE_VERSION, READ_VERSION] = [18, 19];

/** The database with the committed pages of its log, in the form of a database without a log. */
function withLog(main: Buffer, log: Buffer): Buffer {
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
  /** How many pages the whole database has; undefined if nothing is committed. */
  readonly size: number | undefined;
}

/** The pages of a log's valid frames, up to the last commit. Frames left from an older log are not valid. */
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

  /** Adds the bytes from `start` to `end`, eight at a time. */
  add(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
    }
  }

  /** Whether the log has this checksum at `at`. */
  is(bytes: Buffer, at: number): boolean {
    return this.#first === bytes.readUInt32BE(at) && this.#second === bytes.readUInt32BE(at + 4);
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}
