/**
 * The alarms of objects, changed on disk while no workerd runs. workerd fires what is due as soon as it starts, so an
 * alarm that loops would loop again after every restart. It is put off as Cloudflare puts off an alarm that fails: by
 * 2 s, 4 s and so on, and after six retries it is dropped.
 */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TailEvent } from "../traces.ts";
import { NANOSECONDS, type ObjectFiles } from "./objects.ts";

const FIRST_DELAY_MS = 2_000;
const MOST_RETRIES = 6;

/** workerd keeps an object's alarm in the object's own file too, under this key. */
const ALARM_KEY = 1;

export interface AlarmOf {
  readonly namespaceId: string;
  readonly objectId: string;
}

/** An alarm that was ended. Its event tells when it was set for. */
interface AlarmToRetry extends AlarmOf {
  readonly event?: TailEvent["event"];
}

interface Tries {
  readonly count: number;
  /** When the alarm is tried again. One that is set for another time is another alarm, which has all its tries. */
  readonly next: number;
}

export class Retries {
  readonly #files: ObjectFiles;
  /** How often an object's alarm was put off. */
  readonly #tries = new Map<string, Tries>();

  constructor(files: ObjectFiles) {
    this.#files = files;
  }

  /** The delay before the alarm's next try, in milliseconds; undefined if it had all of them. Counts the try. */
  next({ namespaceId, objectId, event }: AlarmToRetry): number | undefined {
    const key = `${namespaceId}/${objectId}`;
    const at = new Date(event?.scheduledTime ?? Number.NaN).getTime();
    const before = this.#tries.get(key);
    const count = before?.next === at ? before.count + 1 : 1;
    if (count <= MOST_RETRIES) this.#tries.set(key, { count, next: at });
    else this.#tries.delete(key);
    return count <= MOST_RETRIES ? FIRST_DELAY_MS * 2 ** (count - 1) : undefined;
  }

  /** Puts the alarm off, or drops it if there is no delay. No workerd may run. */
  write({ namespaceId, objectId }: AlarmOf, delayMs: number | undefined): void {
    const file = this.#files.path(namespaceId, objectId);
    const next = delayMs === undefined ? undefined : Date.now() + delayMs;
    const at = next === undefined ? undefined : BigInt(next) * NANOSECONDS;
    edit(path.join(path.dirname(file), "metadata.sqlite"), (db) => {
      if (at === undefined) db.prepare("DELETE FROM _cf_ALARM WHERE actor_id = ?").run(objectId);
      else db.prepare("UPDATE _cf_ALARM SET scheduled_time = ? WHERE actor_id = ?").run(at, objectId);
    });
    edit(file, (db) => {
      if (at === undefined) db.prepare("DELETE FROM _cf_METADATA WHERE key = ?").run(ALARM_KEY);
      else db.prepare("UPDATE _cf_METADATA SET value = ? WHERE key = ?").run(at, ALARM_KEY);
    });
    const key = `${namespaceId}/${objectId}`;
    const tries = this.#tries.get(key);
    if (tries !== undefined && next !== undefined) this.#tries.set(key, { ...tries, next });
  }
}

function edit(file: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(file);
  try {
    work(db);
  } finally {
    db.close();
  }
}
