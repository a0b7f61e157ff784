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

/** The same with the hash of the history up to that migration. The planner reads it back from a live version. */
export const RecordedRelease = v.object({
  ...Release.entries,
  history: v.string(),
  /** The time of the commit (ISO 8601), which tells an older release from a newer one. */
  committed: v.optional(v.string()),
  /** A few bits that change with the stack's secrets (infra/stack/secrets-mark.ts). */
  secrets: v.optional(v.string()),
});
export type RecordedRelease = v.InferOutput<typeof RecordedRelease>;
