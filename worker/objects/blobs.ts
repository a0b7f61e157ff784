/**
 * The bucket for data that is too large for an object, and the files in it. Each jurisdiction has its own, which its data
 * may not leave.
 */
import { blobsBinding, type Region } from "../../contract/regions.ts";
import { within } from "./deadline.ts";
import { notRead, notWritten } from "./retry.ts";

/** How long a bucket may take to answer. */
export const BUCKET_MS = 30_000;

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

/**
 * What the keys of an object's files of one kind begin with. An id may have a slash in it: without this, one object's
 * files could look like another's.
 */
export const filesOf = (objectName: string, kind: string): string =>
  `${objectName.replaceAll("%", "%25").replaceAll("/", "%2F")}/${kind}/`;

/**
 * Reads a file with `read`; undefined if there is none. `what` it is, for an error. @throws Error that the call may be
 * made again, where the bucket fails.
 */
export async function readFile<T>(
  bucket: () => R2Bucket,
  key: string,
  what: string,
  read: (file: R2ObjectBody) => Promise<T>,
): Promise<T | undefined> {
  try {
    const stored = bucket().get(key);
    return await within(
      BUCKET_MS,
      stored.then((file) => (file ? read(file) : undefined)),
    );
  } catch (error) {
    throw notRead(what, error);
  }
}

interface Files {
  readonly bucket: () => R2Bucket;
  readonly prefix: string;
  /** What they are, for an error. */
  readonly what: string;
  /** Keys that stay, asked anew for each list: new files may come meanwhile. */
  readonly kept?: () => readonly string[];
}

/** Deletes all files whose keys begin with `prefix`. @throws Error that the call may be made again, where the bucket fails. */
export async function deleteFiles({ prefix, what, kept = () => [], ...files }: Files): Promise<void> {
  try {
    const bucket = files.bucket();
    for (;;) {
      const { objects, truncated } = await bucket.list({ prefix });
      const stays = new Set(kept());
      const gone = objects.flatMap(({ key }) => (stays.has(key) ? [] : [key]));
      if (gone.length > 0) await bucket.delete(gone);
      if (!truncated || gone.length === 0) return;
    }
  } catch (error) {
    throw notWritten(what, error);
  }
}
