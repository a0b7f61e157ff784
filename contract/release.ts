/** What a release says of itself in the binding RELEASE of its version. */
import * as v from "valibot";

export const Release = v.object({
  /** SHA-256 of the bundle. */
  digest: v.string(),
  /** The last migration of the Durable Object classes that this release knows. */
  migration: v.string(),
  commit: v.optional(v.string()),
});
export type Release = v.InferOutput<typeof Release>;

/** The SQL schema of a class, as the release knows it (worker/objects/steps.ts). */
export const ClassSchema = v.object({
  /** The first 12 hex digits of the SHA-256 of each step, after those before it: two that agree have the same past. */
  steps: v.array(v.string()),
  /** Code needs at least this many steps to work with these tables: the number of the last breaking one, or 0. */
  needs: v.number(),
});
export type ClassSchema = v.InferOutput<typeof ClassSchema>;

/** Schemas by class. A class without SQL has none. */
export const Schemas = v.record(v.string(), ClassSchema);
export type Schemas = v.InferOutput<typeof Schemas>;

/** The same with the hash of the history up to that migration. The planner reads it back from a live version. */
export const RecordedRelease = v.object({
  ...Release.entries,
  history: v.string(),
  /** The time of the commit (ISO 8601), which tells an older release from a newer one. */
  committed: v.optional(v.string()),
  /** Undefined in releases from before schemas were recorded. */
  schemas: v.optional(Schemas),
  /** A few bits that change with the stack's secrets (infra/stack/secrets-mark.ts). */
  secrets: v.optional(v.string()),
});
export type RecordedRelease = v.InferOutput<typeof RecordedRelease>;
