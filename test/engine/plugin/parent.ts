/** An engine that is killed ends nobody: what it started has to see that it has gone. */

/** Ends this process once it has another parent than `parent`. */
export function endWith(parent: number): void {
  setInterval(() => {
    if (process.ppid !== parent) process.exit();
  }, 500);
}
