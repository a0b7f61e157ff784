/**
 * What workerd was given to do, and what it began with: so that, if it is stuck, somebody can be named. Pure.
 *
 * Only one thing can run at a time, and while it loops nothing else begins or ends. So whatever began or ended last is
 * the likeliest to loop. A request that has not begun is certainly not the cause.
 */

import type { TailEvent } from "../traces.ts";

/** Something that a Worker was asked to do. */
export interface Task {
  /** The Worker's name; undefined for the account's own work. */
  readonly worker: string | undefined;
  /** For a person: `GET /loop`. */
  readonly what: string;
  /** How long it may compute without a pause, in milliseconds of CPU time. */
  readonly limitMs: number;
  /** The other Workers that it may call: a loop in one of them looks like its own. */
  readonly callees?: () => readonly string[];
  /** The Worker's tail consumers, which run after it. */
  readonly consumers?: readonly string[];
  /** The event as tails get it, if it is known. */
  readonly event?: TailEvent["event"];
}

/**
 * Why a task has no result: it took too much and was ended, or it had begun last when workerd crashed and may be the
 * cause, or it ran beside such a one.
 */
export type Fate = "ended" | "crashed" | "interrupted";

export interface Ticket extends Task {
  readonly id: string;
  /** When it began, or last got data, by `performance.now()`; undefined if it has not begun. */
  beganAt: number | undefined;
  /** Whether the Worker has given its answer. It may not have got through to the client. */
  isAnswered: boolean;
  fate: Fate | undefined;
}

/** An alarm that is due. */
export interface DueAlarm extends Task {
  /** By `performance.now()`. */
  readonly dueAt: number;
}

/**
 * How many milliseconds something may have begun before the newest and still be the cause. Requests that come together
 * all begin before the first of them reaches its Worker, and an alarm is late.
 */
const SLACK_MS = { request: 5, alarm: 50, after: 150 };

/**
 * News of an end and of a beginning come by different ways and not always in order, so an end counts as this much
 * older.
 */
const ORDER_MS = 50;

/**
 * How long before workerd was asked a task may have begun and still be what keeps it from answering. That it computes is
 * seen late where other processes have the processor.
 */
const SEEN_LATE_MS = 1_000;

/** For how many different tasks it is known that they have ended well. */
const MOST_KNOWN = 10_000;

export interface Suspect<Alarm> {
  readonly task: Task;
  /** Set if a running task is suspected. */
  readonly ticket?: Ticket;
  /** Set if an alarm is suspected. */
  readonly alarm?: Alarm;
}

interface Candidate<Alarm> {
  readonly at: number;
  readonly slackMs: number;
  readonly suspect: Suspect<Alarm>;
}

export class Activity<Alarm extends DueAlarm> {
  readonly #running = new Map<string, Ticket>();
  /** Tasks that have ended well. */
  readonly #known = new Set<string>();
  #ended: (Task & { readonly at: number }) | undefined;
  #next = 0;
  #ends = 0;

  /** The Workers with a task that has begun. */
  get busyWorkers(): ReadonlySet<string> {
    return new Set(
      [...this.#running.values()].flatMap(({ worker, beganAt }) => (beganAt !== undefined && worker) || []),
    );
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Registers a task that is about to be sent to workerd. */
  send(task: Task): Ticket {
    const ticket: Ticket = {
      ...task,
      id: String(++this.#next),
      beganAt: undefined,
      isAnswered: false,
      fate: undefined,
    };
    this.#running.set(ticket.id, ticket);
    return ticket;
  }

  /** The task has begun, or has got more data. */
  begin(id: string): void {
    const ticket = this.#running.get(id);
    if (ticket !== undefined) ticket.beganAt = performance.now();
  }

  /** The Worker has answered, and whatever it does now is something else. */
  answered(id: string): void {
    const ticket = this.#running.get(id);
    if (ticket === undefined) return;
    ticket.isAnswered = true;
    ticket.beganAt = performance.now();
  }

  /** The task is over, or its client has left and nobody knows. */
  end(ticket: Ticket, how: "answered" | "left"): void {
    if (!this.#running.delete(ticket.id) || ticket.fate !== undefined) return;
    if (how === "answered") {
      this.#learn(ticket);
      this.#ends++;
    }
    // If it had looped, nothing could have ended since.
    if (this.#ended !== undefined) this.#learn(this.#ended);
    // After a call of the account itself nothing goes on.
    if (ticket.worker === undefined) return;
    this.#ended = { ...ticket, ...(how === "answered" && { what: afterwards(ticket) }), at: performance.now() };
  }

  /** The task has gone with its workerd. */
  forget(ticket: Ticket): void {
    this.#running.delete(ticket.id);
  }

  #learn(task: Task): void {
    if (this.#known.size < MOST_KNOWN) this.#known.add(keyOf(task));
  }

  /**
   * Who is the likeliest to loop; undefined if nothing was going on. Among those that began together, one that has
   * never ended well.
   */
  suspect(alarms: readonly Alarm[]): Suspect<Alarm> | undefined {
    const candidates = this.#candidates(alarms).sort((a, b) => b.at - a.at);
    const newest = candidates[0]?.at ?? 0;
    const together = candidates.filter(({ at, slackMs }) => at + slackMs >= newest);
    return (together.find(({ suspect }) => !this.#known.has(keyOf(suspect.task))) ?? together[0])?.suspect;
  }

  /** How many tasks have ended well. */
  get ends(): number {
    return this.#ends;
  }

  /**
   * How many of the tasks that have not ended may keep workerd from answering, which was asked at `askedAt`. Those that
   * come together all begin before the first of them computes, and none is answered before the last has.
   */
  together(askedAt: number, alarms: readonly Alarm[]): number {
    const since = askedAt - SEEN_LATE_MS;
    const running = [...this.#running.values()].filter(({ beganAt }) => beganAt !== undefined && beganAt >= since);
    return running.length + alarms.filter(({ dueAt }) => dueAt >= since).length;
  }

  /** What runs and began last, of one Worker or of all: when workerd crashes, more cannot be known. */
  newest(worker?: string): Suspect<Alarm> | undefined {
    const running = [...this.#running.values()].filter(
      (ticket) => ticket.beganAt !== undefined && (worker === undefined || ticket.worker === worker),
    );
    const ticket = running.sort((a, b) => (b.beganAt ?? 0) - (a.beganAt ?? 0))[0];
    return ticket && { ticket, task: now(ticket) };
  }

  #candidates(alarms: readonly Alarm[]): Candidate<Alarm>[] {
    const running = [...this.#running.values()].flatMap((ticket) =>
      ticket.beganAt === undefined
        ? []
        : [{ at: ticket.beganAt, slackMs: SLACK_MS.request, suspect: { ticket, task: now(ticket) } }],
    );
    const due = alarms.map((alarm) => ({ at: alarm.dueAt, slackMs: SLACK_MS.alarm, suspect: { alarm, task: alarm } }));
    const ended = this.#ended && {
      at: this.#ended.at - ORDER_MS,
      slackMs: SLACK_MS.after,
      suspect: { task: this.#ended },
    };
    return [...running, ...due, ...(ended ? [ended] : [])];
  }

  /** Decides the fate of all that runs, when workerd is about to be ended or has ended: `fate` is that of the cause. */
  interrupt(cause: Ticket | undefined, fate: Fate): void {
    for (const ticket of this.#running.values()) ticket.fate = ticket === cause ? fate : "interrupted";
  }
}

const keyOf = ({ worker, what }: Task) => `${worker} ${what}`;

/** What a running task is doing. */
function now(ticket: Ticket): Task {
  const more = others(ticket);
  return { ...ticket, what: ticket.isAnswered ? afterwards(ticket) : `${ticket.what}${more}${more && ","}` };
}

/** What goes on after an answer. */
const afterwards = (task: Task) => `what goes on after ${task.what} (waitUntil${others(task)})`;

/** Whose fault it may be as well. */
const others = ({ callees = () => [], consumers = [] }: Task): string =>
  [
    ...callees().map((name) => `, or the Worker ${name} that it calls`),
    ...consumers.map((name) => `, or its tail consumer ${name}`),
  ].join("");
