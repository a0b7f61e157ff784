/** Callers of a Worker that ask again and again while something is done, and no longer: they take half a processor. */
import { setTimeout as pause } from "node:timers/promises";

/** How long a caller rests after an answer, in milliseconds. */
const REST_MS = 20;

/** Does some work under the requests of so many callers, whatever they are answered. */
export async function underTraffic<T>(url: URL | string, callers: number, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      await fetch(url).then(
        (answer) => answer.text(),
        () => undefined,
      );
      await pause(REST_MS);
    }
  };
  const all = Array.from({ length: callers }, caller);
  try {
    return await work();
  } finally {
    isOver = true;
    await Promise.all(all);
  }
}
