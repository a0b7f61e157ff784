/** The plugin's process: prints its port, as the engine expects, and serves until the engine ends it. */
import { serve } from "./server.ts";

const [version = ""] = process.argv.slice(2);
console.log(await serve(version, process.cwd()));
