/** A room's files, for those who are at its door: who may add one, and who may read it. uploads.ts keeps the list. */
import { MEBIBYTE } from "../objects/units.ts";
import type { Caller } from "../who.ts";
import type { Audience } from "./audience.ts";
import type { Book } from "./book.ts";
import type { KeptDoor } from "./kept-door.ts";
import type { Relays } from "./relays.ts";
import type { Upkeep } from "./upkeep.ts";
import type { Upload } from "./uploads.ts";

/** A file, or why the caller does not get it. */
export type FileAnswer = { kind: "found"; upload: Upload } | { kind: "forbidden" | "missing" };

interface Parts {
  readonly book: Book;
  readonly door: KeptDoor;
  readonly upkeep: Upkeep;
  readonly audience: Audience;
  readonly relays: Relays;
  /** The most that all files of a room may have. */
  readonly maxMiB: number;
}

export class Files {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reserves a place for a file that is about to be stored in R2. */
  async reserve(upload: Upload, uploader?: Caller): Promise<"reserved" | "too-many" | "room-full" | "denied"> {
    const { book, door, upkeep, maxMiB } = this.#parts;
    if (!door.lets(uploader)) return "denied";
    const most = maxMiB * MEBIBYTE;
    // All other refusals need files that the room has already: this one must not make a room.
    if (upload.size > most) return "room-full";
    book.schema.create();
    const reserved = book.uploads.reserve(upload, Date.now(), most);
    if (reserved === "reserved") await upkeep.armForFiles();
    return reserved;
  }

  /** Frees the place of a file that will not come, and deletes what arrived of it. */
  async abandon(key: string): Promise<void> {
    const { book, upkeep } = this.#parts;
    if (book.schema.empty) return;
    book.uploads.leave(key);
    await upkeep.armForFiles();
  }

  /** Notes that the file is in R2. False if it came too late. */
  stored(key: string): boolean {
    const { book } = this.#parts;
    return !book.schema.empty && book.uploads.stored(key);
  }

  /** The file, for a user who is in the room, has a message in its history, or uploaded the file; or who is trusted. */
  async read(key: string, userId: string, reader: Caller | undefined, isTrusted: boolean): Promise<FileAnswer> {
    const { book, door, audience, relays } = this.#parts;
    if (!door.lets(reader)) return { kind: "forbidden" };
    const found = book.schema.empty ? undefined : book.uploads.find(key);
    if (!found) return { kind: "missing" };
    const { upload, sent } = found;
    if (upload.userId === userId) return { kind: "found", upload };
    const isMember =
      isTrusted ||
      audience.open(userId).length > 0 ||
      book.history()?.hasWriter(userId) === true ||
      (await relays.some((relay) => relay.hasUser(userId)));
    if (!isMember) return { kind: "forbidden" };
    return sent ? { kind: "found", upload } : { kind: "missing" };
  }
}
