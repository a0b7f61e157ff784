/**
 * Notices that workerd does not answer. One thread of it runs all Workers of the account, so a Worker that loops stops
 * the others too.
 *
 * Where the system tells a thread's CPU time, workerd is asked only while its thread computes: an idle account costs
 * nothing, and a slow machine does not count against a Worker. Elsewhere the clock must do.
 */
import { mainThreadCpuMsOf } from "./process.ts";

const TICK_MS = 50;

/** CPU time in one tick that is worth a question. */
const BUSY_MS = TICK_MS / 2;

/** Where the CPU time is not known, a Worker has this many times its limit by the clock. */
const CLOCK_FACTOR = 4;

interface Watched {
  /** The id of workerd's process; undefined while there is none, or it is being replaced. */
  readonly pid: () => number | undefined;
  /** Whether it can have something to do. Only asked where the CPU time is not known. */
  readonly isBusy: () => boolean;
  /** How much it has finished so far. */
  readonly ends: () => number;
  /** Settles when it answers, or its process has ended. */
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  /** Told at every tick while it does not answer. */
  readonly onSilence: (silence: Silence) => void;
}

/** How long workerd has not answered. */
export interface Silence {
  /** When it was asked, by `performance.now()`. */
  readonly askedAt: number;
  /** How much it had finished by then. */
  readonly ends: number;
  /** Its CPU time since it was asked, in milliseconds. */
  readonly spentMs: number;
  /** The same by the clock. */
  readonly elapsedMs: number;
}

interface Question {
  readonly pid: number;
  readonly abort: AbortController;
  readonly askedAt: number;
  /** The CPU time of workerd when it was asked. */
  readonly cpuMs: number | undefined;
  /** How much it had finished by then. */
  readonly ends: number;
  /** As it was at the last tick. */
  silence: Silence | undefined;
}

export class Pulse {
  readonly #watched: Watched;
  #timer: NodeJS.Timeout | undefined;
  #question: Question | undefined;
  #last: { readonly pid: number; readonly cpuMs: number | undefined } | undefined;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Watches from now on. Keeps no process alive. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Whether workerd was asked and has not answered. */
  get isSilent(): boolean {
    return this.#question !== undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#forget();
  }

  #tick(): void {
    const pid = this.#watched.pid();
    if (pid === undefined || (this.#question !== undefined && this.#question.pid !== pid)) this.#forget();
    if (pid === undefined) return;
    const cpuMs = mainThreadCpuMsOf(pid);
    if (this.#question !== undefined) this.#judge(this.#question, cpuMs);
    else if (this.#isWorthAQuestion(pid, cpuMs)) this.#ask(pid, cpuMs);
    this.#last = { pid, cpuMs };
  }

  #isWorthAQuestion(pid: number, cpuMs: number | undefined): boolean {
    if (cpuMs === undefined) return this.#watched.isBusy();
    return this.#last?.pid === pid && cpuMs - (this.#last.cpuMs ?? cpuMs) >= BUSY_MS;
  }

  #ask(pid: number, cpuMs: number | undefined): void {
    const question: Question = {
      pid,
      abort: new AbortController(),
      askedAt: performance.now(),
      cpuMs,
      ends: this.#watched.ends(),
      silence: undefined,
    };
    this.#question = question;
    const answered = () => {
      if (this.#question === question) this.#question = undefined;
    };
    this.#watched.ping(question.abort.signal).then(answered, answered);
  }

  /**
   * Reports what was spent at the tick before. If an answer had come by then, and this process was only too busy to
   * read it, it has been read since.
   */
  #judge(question: Question, cpuMs: number | undefined): void {
    if (question.silence !== undefined) this.#watched.onSilence(question.silence);
    const { askedAt, ends } = question;
    const elapsedMs = performance.now() - askedAt;
    const isKnown = cpuMs !== undefined && question.cpuMs !== undefined;
    const spentMs = isKnown ? cpuMs - question.cpuMs : elapsedMs / CLOCK_FACTOR;
    question.silence = { askedAt, ends, spentMs, elapsedMs };
  }

  #forget(): void {
    this.#question?.abort.abort();
    this.#question = undefined;
    this.#last = undefined;
  }
}
