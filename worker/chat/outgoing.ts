/**
 * Messages on their way to the disk and to the readers. Messages that arrive during a write are stored together by the
 * next one, so that a busy room does not wait for the disk once per message. A message is on disk before anybody sees
 * it; then its sender gets an `ack`. The whole way of a message is in docs/ARCHITECTURE.md, "How things travel".
 */
import { GroupCommit } from "../objects/group-commit.ts";
import { type Answer, ackOf, errorOf, NO_ATTACHMENT, NOT_STORED, type Objection } from "./answers.ts";
import type { Book } from "./book.ts";
import type { History } from "./history.ts";
import type { ChatFrame, Message } from "./protocol.ts";
import type { Amount } from "./readers.ts";
import { ANY, fingerprint, keyOf, type Sent, type SentMessage } from "./sent.ts";
import { type Listeners, Showing } from "./showing.ts";

/** A message that is not stored yet, and who waits for its `ack`. */
interface Said {
  readonly userId: string;
  readonly frame: ChatFrame;
  readonly timestamp: number;
  /** How often the room had been deleted when it came. */
  readonly generation: number;
  /** More than one if the message was sent again meanwhile. */
  readonly senders: Answer[];
  /** Who sends it again from then on begins anew. */
  isRefused: boolean;
}

/** What an id already stands for: a stored message, one that is being stored, or a different message. */
export type Known =
  | { readonly kind: "stored"; readonly sent: SentMessage }
  | { readonly kind: "waiting"; readonly said: Said }
  | { readonly kind: "conflict" };

/** Where messages are stored. */
export interface Store {
  readonly book: Book;
  /** Called before a write. */
  prepare(): Promise<void>;
  sync(): Promise<void>;
  transaction<T>(write: () => T): T;
}

export class Outgoing {
  readonly #store: Store;
  readonly #listeners: Listeners;
  readonly #stored: (trimmed: boolean) => Promise<void>;
  readonly #showing: Showing;
  #generation = 0;
  /** The first number that is in the table and was not shown yet; undefined if all were. */
  #unshown: number | undefined;
  /** The messages on their way, by the ids of their senders. */
  readonly #underWay = new Map<string, Said>();
  readonly #commits = new GroupCommit<Said, undefined>((batch) => this.#flush(batch));

  /** `stored` is called after each write; `trimmed`: whether dropped messages had files. */
  constructor(store: Store, listeners: Listeners, stored: (trimmed: boolean) => Promise<void>) {
    this.#store = store;
    this.#listeners = listeners;
    this.#showing = new Showing(listeners);
    this.#stored = stored;
  }

  /** Finds an earlier message by its sender's id for it; undefined if the message is new. */
  known(userId: string, { clientId, text, attachment }: ChatFrame, now: number): Known | undefined {
    if (clientId === undefined) return undefined;
    const sent = this.#store.book.sent()?.find(userId, clientId, now);
    if (sent) {
      const isSame = sent.fingerprint === ANY || sent.fingerprint === fingerprint(text, attachment);
      return isSame ? { kind: "stored", sent } : CONFLICTING;
    }
    const said = this.#underWay.get(keyOf(userId, clientId));
    if (!said || said.isRefused) return undefined;
    const same = said.frame.text === text && said.frame.attachment === attachment;
    return same ? { kind: "waiting", said } : CONFLICTING;
  }

  /** Waits for a message that is being stored already; `sender` gets its `ack` too. */
  async join({ said }: Known & { kind: "waiting" }, sender: Answer): Promise<void> {
    said.senders.push(sender);
    await this.#commits.settled();
  }

  /** Stores a message, and sends it to the readers. */
  async say(userId: string, frame: ChatFrame, sender: Answer, timestamp: number): Promise<void> {
    const said: Said = { userId, frame, timestamp, generation: this.#generation, senders: [sender], isRefused: false };
    const key = frame.clientId === undefined ? undefined : keyOf(userId, frame.clientId);
    if (key !== undefined) this.#underWay.set(key, said);
    try {
      await this.#commits.commit(said);
    } finally {
      // Where this was refused, another may have its id by now.
      if (key !== undefined && this.#underWay.get(key) === said) this.#underWay.delete(key);
    }
  }

  /** If a message is in the table and was not shown yet: what to wait for, perhaps more than once. */
  shown(seq: number): Promise<void> | undefined {
    return this.#unshown !== undefined && seq >= this.#unshown ? this.#commits.settled() : undefined;
  }

  /** The room was deleted: what is on its way is not stored any more. */
  forget(): void {
    this.#generation++;
  }

  /** How much was sent after a number; undefined if no message has this number yet. */
  after(seq: number): Amount | undefined {
    return this.#showing.after(seq, this.#store.book.history()?.last ?? 0);
  }

  async #flush(batch: readonly Said[]): Promise<readonly undefined[]> {
    await this.#store.prepare();
    const live = batch.filter(({ generation }) => generation === this.#generation);
    for (const said of batch) if (said.generation !== this.#generation) this.#refuse(said, NOT_STORED);
    if (live.length > 0) await this.#keep(live);
    return batch.map(() => undefined);
  }

  async #keep(batch: readonly Said[]): Promise<void> {
    // Whoever joins after this line finds these messages in the history.
    const readers = this.#listeners.readers();
    const { stored, trimmed } = this.#write(batch);
    const messages = [...stored.values()];
    this.#unshown = messages[0]?.seq;
    try {
      await this.#store.sync();
      this.#showing.show(messages, readers);
    } finally {
      this.#unshown = undefined;
    }
    for (const [{ senders, frame }, message] of stored) {
      for (const answer of senders) answer(ackOf(frame, message));
    }
    await this.#stored(trimmed);
  }

  #refuse(said: Said, why: Objection): void {
    said.isRefused = true;
    for (const answer of said.senders) answer(errorOf(said.frame, why));
  }

  /** Stores all messages of a batch, or none. Refuses those that cannot be stored. */
  #write(batch: readonly Said[]): StoredBatch {
    let written: StoredBatch;
    try {
      written = this.#writeAll(batch);
    } catch (error) {
      console.error(JSON.stringify({ chat: "messages not stored", error: String(error) }));
      for (const said of batch) this.#refuse(said, NOT_STORED);
      return { stored: new Map(), trimmed: false };
    }
    for (const said of batch) if (!written.stored.has(said)) this.#refuse(said, NO_ATTACHMENT);
    return written;
  }

  #writeAll(batch: readonly Said[]): StoredBatch {
    const { book } = this.#store;
    book.schema.create();
    const [history, sent] = [book.history(), book.sent()];
    if (!history || !sent) throw new Error("The room's tables are missing");
    const written = this.#store.transaction(() => this.#writeRows(batch, history, sent));
    const messages = [...written.stored.values()];
    history.appended(messages);
    sent.appended(messages);
    return written;
  }

  /** Call it in a transaction. */
  #writeRows(batch: readonly Said[], history: History, sent: Sent): StoredBatch {
    const { uploads } = this.#store.book;
    const stored = new Map<Said, Message>();
    for (const said of batch) {
      const message = this.#messageOf(said, history.last + stored.size + 1);
      if (message) stored.set(said, message);
    }
    const messages = [...stored.values()];
    const leaving = history.append(messages);
    for (const { key } of leaving) uploads.leave(key);
    sent.append(messages);
    return { stored, trimmed: leaving.length > 0 };
  }

  /** The message of what was said, under its number. It takes the file along; undefined if there is no such file. */
  #messageOf({ userId, frame, timestamp }: Said, seq: number): Message | undefined {
    const { uploads } = this.#store.book;
    const { text, clientId, attachment: key } = frame;
    const attachment = key === undefined ? undefined : uploads.unsent(key, userId);
    if (key !== undefined && !attachment) return undefined;
    if (attachment) uploads.sent(attachment.key);
    return {
      id: crypto.randomUUID(),
      seq,
      userId,
      text,
      timestamp,
      ...(clientId !== undefined && { clientId }),
      ...(attachment && { attachment }),
    };
  }
}

/** The messages of a batch that are in the tables. `trimmed`: whether messages with files had to go for them. */
interface StoredBatch {
  readonly stored: ReadonlyMap<Said, Message>;
  readonly trimmed: boolean;
}

const CONFLICTING: Known = { kind: "conflict" };
