/**
 * Which messages a client has sent already, by their `clientId`: those of a day, or the last ten thousand.
 *
 * A message in the history has its id in its row. To know the ids of dropped messages too, ids are also written in
 * batches, one row for many, each batch over the oldest one: before the first message of a batch is dropped, however
 * few the history keeps. The alarm deletes batches that are too old to matter.
 */
import type { Message } from "./protocol.ts";

const KEPT_MS = 24 * 60 * 60 * 1_000;
const BATCH = 50;
const BATCHES = 200;
const batchOf = (seq: number) => Math.ceil(seq / BATCH);

/** What the room remembers of a message. */
export interface SentMessage {
  seq: number;
  id: string;
  timestamp: number;
  /** Of its text and file: tells a repetition from a different message under the same id. */
  fingerprint: string;
}

/** A message by its key. */
type Entry = readonly [key: string, sent: SentMessage];

/** The fingerprint of a message whose text is gone: whatever comes under its id is a repetition. */
export const ANY = "";

export class Sent {
  readonly #sql: SqlStorage;
  readonly #limit: number;
  /** All messages up to this number are in batches, or too old to matter; perhaps some after it are in batches, too. */
  #written: number;
  readonly #known = new Map<string, SentMessage>();
  /** Those of the batch that is written next: a search for them in all that are known costs a busy room too much. */
  #next: readonly Entry[] = [];

  /** `kept`: the messages that have a row; `limit`: how many have one after the next message. */
  constructor(sql: SqlStorage, kept: readonly Message[], limit: number) {
    this.#sql = sql;
    this.#limit = limit;
    const batches = sql.exec<{ entries: string }>("SELECT entries FROM sent").toArray();
    const stored = batches.flatMap(({ entries }): [string, SentMessage][] => JSON.parse(entries));
    for (const [key, sent] of stored.sort(([, a], [, b]) => a.seq - b.seq)) this.#known.set(key, sent);
    const fresh = kept.filter(({ timestamp }) => timestamp > Date.now() - KEPT_MS);
    const old = fresh[0] ? fresh[0].seq - 1 : (kept.at(-1)?.seq ?? 0);
    this.#written = Math.max(old, stored.at(-1)?.[1].seq ?? 0);
    for (const message of fresh) {
      // The text of a deleted message is gone, and with it its fingerprint.
      const isKnown = message.clientId !== undefined && this.#known.has(keyOf(message.userId, message.clientId));
      if (!(message.deleted && isKnown)) this.#remember(message);
    }
    this.#next = [...this.#known].filter((entry) => this.#isNext(entry));
  }

  /** The message that this user sent under this id in the last day. */
  find(userId: string, clientId: string, now: number): SentMessage | undefined {
    const sent = this.#known.get(keyOf(userId, clientId));
    return sent && sent.timestamp > now - KEPT_MS ? sent : undefined;
  }

  /** Writes the batches that these messages complete. Call it in the transaction that stores the messages. */
  append(messages: readonly Message[]): void {
    const upTo = this.#writtenWith(messages);
    if (upTo === this.#written) return;
    const entries = [...this.#next, ...messages.flatMap(entryOf)].filter(([, { seq }]) => seq <= upTo);
    for (const [batch, ofBatch] of Map.groupBy(entries, ([, { seq }]) => batchOf(seq))) {
      const values = [batch % BATCHES, JSON.stringify(ofBatch)];
      this.#sql.exec("INSERT OR REPLACE INTO sent (batch, entries) VALUES (?, ?)", ...values);
    }
  }

  /** Up to which number ids are in batches once these messages are stored. */
  #writtenWith(messages: readonly Message[]): number {
    const last = messages.at(-1)?.seq ?? 0;
    const isDropped = this.#written < last - this.#limit;
    return isDropped ? last : Math.max(this.#written, last - (last % BATCH));
  }

  /** Remembers messages. Call it after their transaction. */
  appended(messages: readonly Message[]): void {
    this.#written = this.#writtenWith(messages);
    const entries = messages.flatMap((message) => this.#remember(message));
    this.#next = [...this.#next, ...entries].filter((entry) => this.#isNext(entry));
  }

  #isNext([, { seq }]: Entry): boolean {
    return batchOf(seq) >= batchOf(this.#written + 1);
  }

  #remember(message: Message): readonly Entry[] {
    const entries = entryOf(message);
    for (const [key, sent] of entries) {
      this.#known.delete(key);
      this.#known.set(key, sent);
    }
    for (const [key, { seq, timestamp }] of this.#known) {
      if (seq > message.seq - BATCHES * BATCH && timestamp > message.timestamp - KEPT_MS) break;
      this.#known.delete(key);
    }
    return entries;
  }
}

/** SQL for the time of the newest message of a batch. */
const newestOf = (entries: string) => `SELECT max(value ->> '$[1].timestamp') AS at FROM json_each(${entries})`;

/**
 * When a batch will be too old to matter (ms since the epoch); undefined if there is none. It need not be the oldest, but
 * a day after that one mattered this one is deleted, and the oldest with it, or both are overwritten.
 */
export function agedAt(sql: SqlStorage): number | undefined {
  const { at } = sql.exec<{ at: number | null }>(newestOf("(SELECT entries FROM sent LIMIT 1)")).one();
  return at === null ? undefined : at + KEPT_MS;
}

/** Deletes batches that are too old to matter. */
export function deleteAged(sql: SqlStorage, now: number): void {
  sql.exec(`DELETE FROM sent WHERE (${newestOf("entries")}) <= ?`, now - KEPT_MS);
}

/** A hash of a text (FNV-1a in two lanes): two texts of one user under one id will not share it by chance. */
export function fingerprint(text: string, attachment: string | undefined): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (const char of `${attachment ?? ""}\n${text}`) {
    const point = char.codePointAt(0) ?? 0;
    a = Math.imul(a ^ point, 0x01000193);
    b = Math.imul(b ^ point, 0x5bd1e995);
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}

/** A key for what a user sent under an id of theirs. */
export const keyOf = (userId: string, clientId: string) => JSON.stringify([userId, clientId]);

function entryOf(message: Message): readonly Entry[] {
  const { clientId, userId, seq, id, timestamp, text, attachment } = message;
  if (clientId === undefined) return [];
  return [
    [
      keyOf(userId, clientId),
      { seq, id, timestamp, fingerprint: message.deleted ? ANY : fingerprint(text, attachment?.key) },
    ],
  ];
}
