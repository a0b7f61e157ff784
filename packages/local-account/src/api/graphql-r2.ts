/** The data set `r2StorageAdaptiveGroups` of `POST /graphql`: what is in the buckets now; Cloudflare samples it over time. */
import * as v from "valibot";
import type { Account } from "../account.ts";
import type { Bucket } from "../model.ts";
import { type BucketAccess, objectsOf } from "../runtime/storage.ts";

/** The types of the data set, for GraphQL's schema. */
export const R2_TYPES = `
  input R2StorageAdaptiveGroupsFilter_InputObject {
    bucketName: string, datetime_geq: Time, datetime_gt: Time, datetime_leq: Time, datetime_lt: Time
  }
  type R2Storage { max: R2StorageMax, dimensions: R2StorageDimensions }
  type R2StorageMax { objectCount: uint64!, uploadCount: uint64!, payloadSize: uint64!, metadataSize: uint64! }
  type R2StorageDimensions { datetime: Time!, bucketName: string! }
`;

const Text = v.optional(v.nullable(v.string()));
const Asked = v.object({
  limit: v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.integer(), v.minValue(1), v.maxValue(10_000)),
  filter: v.optional(
    v.nullable(
      v.object({ bucketName: Text, datetime_geq: Text, datetime_gt: Text, datetime_leq: Text, datetime_lt: Text }),
    ),
    {},
  ),
});

/** One row for each bucket that the filter names, or for each bucket, in bytes. Metadata takes no room here. */
export async function r2Storage(account: Account, given: unknown) {
  const { limit, filter } = v.parse(Asked, given);
  const until = filter?.datetime_leq ?? filter?.datetime_lt ?? undefined;
  const at = until === undefined ? Date.now() : Math.min(Date.now(), Date.parse(until));
  const buckets = [...account.state.buckets.values()].filter(
    (bucket) =>
      (filter?.bucketName == null || filter.bucketName === nameOf(bucket)) && Date.parse(bucket.createdOn) <= at,
  );
  if (buckets.length > 0) await account.reachStorage();
  return Promise.all(
    buckets.slice(0, limit).map(async (bucket) => ({
      max: { ...(await account.runtime.calls.bucket(bucket.id, contents)), uploadCount: 0, metadataSize: 0 },
      dimensions: { datetime: new Date(at).toISOString(), bucketName: nameOf(bucket) },
    })),
  );
}

/** With its jurisdiction, as this data set writes it. */
const nameOf = ({ name, jurisdiction }: Bucket) => (jurisdiction === "default" ? name : `${jurisdiction}_${name}`);

async function contents(bucket: BucketAccess): Promise<{ objectCount: number; payloadSize: number }> {
  let [objectCount, payloadSize] = [0, 0];
  for await (const { size } of objectsOf(bucket)) {
    objectCount++;
    payloadSize += size;
  }
  return { objectCount, payloadSize };
}
