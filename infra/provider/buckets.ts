/** R2's buckets in requests: in which jurisdiction they are, and what is in them. */
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

/** Deletes all that is in a bucket, and returns how many objects: Cloudflare deletes no bucket with something in it. */
export async function emptyBucket(api: Api, { accountId, name, jurisdiction }: Bucket): Promise<number> {
  const path = at`/accounts/${accountId}/r2/buckets/${name}/objects`;
  const extra = inJurisdiction(jurisdiction);
  for (let count = 0; ; ) {
    const { results } = await api.page(path, { per_page: 1_000 }, extra);
    if (results.length === 0) return count;
    for (const object of results) {
      const key = text(object, "key").split("/").map(encodeURIComponent).join("/");
      await api.remove(`${path}/${key}`, extra);
    }
    count += results.length;
  }
}
