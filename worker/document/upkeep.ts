/** What a document's alarm does: compacts it, makes versions, and deletes what nobody needs. */
import { sweepReplays } from "../objects/replays.ts";
import type { Schema } from "../objects/schema.ts";
import { HOUR_MS } from "../objects/units.ts";
import { AGAIN_MS, type Wake } from "../objects/wake.ts";
import type { Editor } from "./editor.ts";
import type { Keeping } from "./keeping.ts";
import type { Versions } from "./versions.ts";

interface Parts {
  readonly storage: DurableObjectStorage;
  readonly schema: Schema;
  readonly wake: Wake;
  readonly keeping: Keeping;
  readonly versions: Versions;
  readonly editor: () => Promise<Editor>;
  /** Deletes the document. */
  readonly end: () => Promise<void>;
}

export class Upkeep {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does what is due, and sets the alarm for what is not. It may run early, late or twice. */
  async run(): Promise<void> {
    const { storage, schema, wake, keeping, versions } = this.#parts;
    const editor = await this.#parts.editor();
    const now = Date.now();
    await wake.chore("look for silent clients", async () => editor.lookForSilent(now));
    if (keeping.deletedUntil > 0) await wake.chore("end of the deletion", () => this.#endDeletion(now));
    if (keeping.deletedUntil > 0) return;
    // Even an empty database is stored, and billed, for ever.
    if (keeping.isNowhere && !editor.isInUse) return wake.wipe();
    if (schema.empty) return;
    await wake.chore("compaction", async () => {
      if (editor.writer.isLoose) editor.writer.compact();
      return undefined;
    });
    await wake.chore("version", () => this.#makeVersion(editor, now));
    await wake.chore("sweep of versions", () => versions.sweep(now));
    await wake.chore("sweep of idempotency keys", async () => sweepReplays(storage.sql, now));
    await wake.chore("deletion after disuse", () => this.#endIfUnused(editor, now));
  }

  async #makeVersion(editor: Editor, now: number): Promise<number | undefined> {
    const { schema, keeping, versions } = this.#parts;
    if (keeping.versionDue === undefined || keeping.versionDue > now) return keeping.versionDue;
    // First, so that an edit that comes meanwhile sets the time of the next one.
    keeping.setVersionDue(undefined);
    try {
      await versions.add(await editor.state(), undefined, now);
    } catch (error) {
      // Later, so that no edit until then makes another attempt.
      if (!schema.empty) keeping.setVersionDue(Date.now() + AGAIN_MS);
      throw error;
    }
    return keeping.versionDue;
  }

  async #endDeletion(now: number): Promise<number | undefined> {
    const { schema, keeping, versions } = this.#parts;
    if (keeping.deletedUntil > now) return keeping.deletedUntil;
    // Once more, in case a version was on its way to the bucket.
    if (schema.empty) await versions.clear();
    keeping.forgetDeletion();
    return undefined;
  }

  async #endIfUnused(editor: Editor, now: number): Promise<number | undefined> {
    const { goesAt } = this.#parts.keeping;
    if (goesAt === undefined) return undefined;
    if (goesAt > now || editor.isInUse) return Math.max(goesAt, now + HOUR_MS);
    await this.#parts.end();
    return undefined;
  }
}
