/** A killed engine does not end its child processes, so they must notice that it has gone. */

/** Ends this process once it has another parent than `parent`. */
export function endWith(parent: number): void {
  setInterval(() => {
    if (process.ppid !== parent) process.exit();
  }, 500);
}
