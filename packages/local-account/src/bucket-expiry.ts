/** Deletes the objects of buckets that have expired by their lifecycle rules, once an hour. */
import type { Account } from "./account.ts";
import { canExpire, isExpired } from "./bucket-rules.ts";
import { type BucketObject, objectsOf } from "./runtime/storage.ts";

const HOUR_MS = 3_600_000;

/** Deletes what has expired at a time (milliseconds since 1970), and returns the keys by bucket. */
export async function expire(account: Account, at: number): Promise<{ bucket: string; keys: string[] }[]> {
  const buckets = [...account.state.buckets.values()].filter(canExpire);
  if (buckets.length === 0) return [];
  await account.reachStorage();
  const deleted = [];
  for (const bucket of buckets) {
    const keys = await account.runtime.calls.bucket(bucket.id, async (access) => {
      const expired: BucketObject[] = [];
      for await (const object of objectsOf(access)) if (isExpired(bucket, object, at)) expired.push(object);
      const gone: string[] = [];
      for (const { key, version } of expired) {
        // A list of many takes long, and somebody may have put another object there.
        if ((await access.head(key))?.version !== version) continue;
        await access.delete(key);
        gone.push(key);
      }
      return gone;
    });
    deleted.push({ bucket: bucket.name, keys });
  }
  return deleted;
}

/** Does so every hour, and tells of problems until it is stopped. Keeps no process alive. */
export function expireHourly(account: Account, onProblem: (problem: unknown) => void): { stop: () => void } {
  let isStopped = false;
  // The account that closes refuses what waits for its turn.
  const tell = (problem: unknown) => {
    if (!isStopped) onProblem(problem);
  };
  const timer = setInterval(() => void expire(account, Date.now()).catch(tell), HOUR_MS);
  timer.unref();
  const stop = () => {
    isStopped = true;
    clearInterval(timer);
  };
  return { stop };
}
