/**
 * Ends a workerd whose Workers take too much memory. Cloudflare gives each 128 MB; here only the memory of the whole
 * process is known. Whose it is, is found out by who was at work while it grew.
 */
import { totalmem } from "node:os";
import type { Running } from "./generation.ts";
import { memoryOf, openFilesOf } from "./process.ts";

const LOOK_MS = 100;
const MIB = 2 ** 20;
/** What Cloudflare gives a Worker. */
const ONE_WORKER = 128 * MIB;
/** So much all may take together in any case. V8 collects garbage late. */
const LEAST_LIMIT = 1_024 * MIB;
/**
 * What workerd itself takes for each file and socket that it has open: an object has three files, and takes a quarter of
 * a mebibyte. At Cloudflare that does not count.
 */
const ONE_FILE = MIB / 8;

interface Watched {
  readonly process: () => Running | undefined;
  /** How many Workers there are. */
  readonly workers: () => number;
  /** The names of the Workers that are at work. */
  readonly busy: () => ReadonlySet<string>;
  /** Told who is the likeliest to have taken the memory, and how many MiB all have taken. */
  readonly onOver: (worker: string | undefined, mebibytes: number) => void;
}

/** The memory that there is, in bytes: of the machine, or less in a container that has a limit of its own. */
export const memoryThere = (machine = totalmem(), container = process.constrainedMemory()): number =>
  // 0: it is not known.
  Math.min(machine, container || machine);

/**
 * How many bytes all Workers may take together beyond what they had at their start. `files`: the most that were open at
 * once, because what was taken for a file stays taken after it is closed.
 */
export const memoryLimitOf = (workers: number, there: number, files = 0): number =>
  Math.min(there / 2, Math.max(LEAST_LIMIT, workers * ONE_WORKER) + files * ONE_FILE);

/** What the system tells of a process (process.ts). */
interface System {
  readonly memoryOf: (pid: number | undefined) => number | undefined;
  readonly openFilesOf: (pid: number | undefined) => number | undefined;
}

export class MemoryLimit {
  readonly #watched: Watched;
  readonly #system: System;
  readonly #there = memoryThere();
  #timer: NodeJS.Timeout | undefined;
  #pid: number | undefined;
  #first = 0;
  #last = 0;
  /** The most files that were open when the memory was looked at closely. */
  #files = 0;
  /** By how many bytes the memory grew while a Worker was at work. */
  readonly #growth = new Map<string, number>();

  constructor(watched: Watched, system: System = { memoryOf, openFilesOf }) {
    this.#watched = watched;
    this.#system = system;
  }

  /** Watches from now on. Keeps no process alive. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const pid = this.#watched.process()?.child.pid;
    const bytes = this.#system.memoryOf(pid);
    if (bytes === undefined) return;
    if (pid !== this.#pid) {
      this.#pid = pid;
      this.#first = bytes;
      this.#last = bytes;
      this.#files = 0;
      this.#growth.clear();
    }
    const busy = this.#watched.busy();
    for (const worker of busy)
      this.#growth.set(worker, (this.#growth.get(worker) ?? 0) + (bytes - this.#last) / busy.size);
    this.#last = bytes;
    const taken = bytes - this.#first;
    const limit = () => memoryLimitOf(this.#watched.workers(), this.#there, this.#files);
    if (taken < limit()) return;
    // Only now: with many files it takes a while to count them.
    this.#files = Math.max(this.#files, this.#system.openFilesOf(pid) ?? 0);
    if (taken < limit()) return;
    const [largest] = [...this.#growth].sort(([, a], [, b]) => b - a);
    this.#watched.onOver(largest?.[0], Math.round(taken / MIB));
  }
}
