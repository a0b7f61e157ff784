/** R2's buckets in requests: in which jurisdiction they are, and what is in them. */
import { UserError } from "../common/user-error.ts";
import { type Api, at, type Extra } from "./api.ts";
import { text } from "./values.ts";

/** What a request says beside a bucket's name: a bucket of a jurisdiction is known only to requests that name that. */
export const inJurisdiction = (jurisdiction: unknown): Extra =>
  typeof jurisdiction === "string" ? { headers: { "cf-r2-jurisdiction": jurisdiction } } : {};

export interface Bucket {
  readonly accountId: string;
  readonly name: string;
  /** Where its data must stay; undefined: anywhere. */
  readonly jurisdiction: string | undefined;
}

/**
 * Deletes all that is in a bucket, and returns how many objects: Cloudflare deletes no bucket with something in it.
 * @throws UserError where an object cannot be deleted.
 */
export async function emptyBucket(api: Api, { accountId, name, jurisdiction }: Bucket): Promise<number> {
  const path = at`/accounts/${accountId}/r2/buckets/${name}/objects`;
  const extra = inJurisdiction(jurisdiction);
  let count = 0;
  for (let deleted = new Set<string>(); ; ) {
    const found = await api.filledPage(path, { per_page: 1_000 }, extra);
    // Where it is not known whether something is left, the bucket's deletion says so.
    if (found === undefined || found.length === 0) return count;
    const keys = found.map((object) => text(object, "key"));
    const [stays] = keys;
    if (keys.every((key) => deleted.has(key))) {
      throw undeletable(name, stays, "it is still there after Cloudflare's API has deleted it");
    }
    for (const key of keys) await api.remove(`${path}/${inPath(key, name)}`, extra);
    deleted = new Set(keys);
    count += keys.length;
  }
}

/**
 * A key as a path has it, its slashes escaped too, as Cloudflare's own SDK sends it: a URL goes a folder up where a part
 * of its path is `..`, so `a/../b` would be the object `b`, and `../../other` another bucket.
 */
function inPath(key: string, bucket: string): string {
  if (key === "." || key === "..") throw undeletable(bucket, key, "no URL can name it");
  return at`${key}`;
}

const undeletable = (bucket: string, key = "", why: string) =>
  new UserError(
    `The object ${JSON.stringify(key)} of the bucket ${bucket} cannot be deleted: ${why}. Delete it in Cloudflare's dashboard (R2, ${bucket}), then try again.`,
  );
