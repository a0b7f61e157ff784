/** The bucket for data that is too large for an object. Each jurisdiction has its own, which its data may not leave. */
import { blobsBinding, type Region } from "../../contract/regions.ts";

/** The bucket of a region. @throws Error if the stack has none for its jurisdiction. */
export function blobsOf(env: Env, { jurisdiction }: Pick<Region, "jurisdiction">): R2Bucket {
  if (jurisdiction === undefined) return env.BLOBS;
  const binding = blobsBinding(jurisdiction);
  const bucket: unknown = Reflect.get(env, binding);
  if (!isBucket(bucket)) {
    throw new Error(
      `There is no bucket ${binding} for the jurisdiction ${jurisdiction}. Run \`npm run up\`, which makes it`,
    );
  }
  return bucket;
}

const isBucket = (value: unknown): value is R2Bucket =>
  typeof value === "object" && value !== null && "createMultipartUpload" in value;
