/** The bucket for what is too large for an object: the one of the region's jurisdiction, which its data may not leave. */
import { blobsBinding, type Region } from "../../contract/regions.ts";

/** The bucket of a region's data. @throws Error where the stack has none for its jurisdiction. */
export function blobsOf(env: Env, { jurisdiction }: Pick<Region, "jurisdiction">): R2Bucket {
  if (jurisdiction === undefined) return env.BLOBS;
  const binding = blobsBinding(jurisdiction);
  const bucket: unknown = Reflect.get(env, binding);
  if (!isBucket(bucket)) {
    throw new Error(
      `There is no bucket ${binding} for regions of the jurisdiction ${jurisdiction}; the program makes it`,
    );
  }
  return bucket;
}

const isBucket = (value: unknown): value is R2Bucket =>
  typeof value === "object" && value !== null && "createMultipartUpload" in value;
