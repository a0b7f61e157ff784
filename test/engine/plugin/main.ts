/** The plugin's process: prints its port, as the engine expects, and serves until the engine has ended. */
import { serve } from "./server.ts";

const [version = ""] = process.argv.slice(2);
console.log(await serve(version, process.cwd()));

// An engine that is killed ends nobody; whose parent changes has lost it.
const engine = process.ppid;
setInterval(() => {
  if (process.ppid !== engine) process.exit();
}, 500);
