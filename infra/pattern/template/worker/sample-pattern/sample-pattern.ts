/** One text an object, and how often it was set: what was answered is on disk. */
import { DurableObject } from "cloudflare:workers";
import { Schema } from "../objects/schema.ts";
import { samplePattern } from "./pattern.ts";

/** A text, and its number: 0 as long as nothing was set. */
export type Content = { text: string; revision: number };

export class SamplePatternDO extends DurableObject<Env> {
  readonly #schema: Schema;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, samplePattern);
  }

  /** What is stored. Writes nothing. */
  read(): Content {
    if (this.#schema.empty) return { text: "", revision: 0 };
    return this.ctx.storage.sql.exec<Content>("SELECT text, revision FROM content").one();
  }

  /** Puts another text in the place of the one before. The same text again changes nothing: a call may be repeated. */
  write(text: string): Content {
    const { text: before, revision } = this.read();
    if (revision > 0 && text === before) return { text, revision };
    this.#schema.create();
    return this.ctx.storage.sql
      .exec<Content>(
        "INSERT OR REPLACE INTO content (id, text, revision) VALUES (1, ?, ?) RETURNING text, revision",
        ...[text, revision + 1],
      )
      .one();
  }
}
