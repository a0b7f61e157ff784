/** Counts the rows that a Durable Object writes, as Cloudflare bills them. */
import { runInDurableObject } from "cloudflare:test";

/**
 * Starts counting in the running object. Call the returned function for the rows written since. Counts the rows that
 * SQL statements report, and one row for each `kv.put`, `kv.delete` and `setAlarm`. Ends with the object's eviction.
 */
export async function countRows<T extends Rpc.DurableObjectBranded>(stub: DurableObjectStub<T>): Promise<() => number> {
  let before = 0;
  const cursors: { readonly rowsWritten: number }[] = [];
  await runInDurableObject(stub, (_, { storage }) => {
    const one = <A extends unknown[], R>(call: (...args: A) => R) => {
      return (...args: A) => {
        before++;
        return call(...args);
      };
    };
    const exec: typeof storage.sql.exec = storage.sql.exec.bind(storage.sql);
    storage.sql.exec = ((...args: Parameters<typeof exec>) => {
      const cursor = exec(...args);
      cursors.push(cursor);
      return cursor;
    }) as typeof exec;
    storage.kv.put = one(storage.kv.put.bind(storage.kv));
    storage.setAlarm = one(storage.setAlarm.bind(storage));
  });
  return () => before + cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0);
}

/**
 * The fewest rows that `turn` writes, of ten times: a busy machine brings callers who come at once in smaller groups. `rows`
 * counts them (`countRows`).
 */
export async function fewestRows(rows: () => number, turn: () => Promise<unknown>): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const before = rows();
    await turn();
    fewest = Math.min(fewest, rows() - before);
  }
  return fewest;
}
