/** The plugin's process: prints its port, as the engine expects, and serves until the engine has ended. */
import { endWith } from "./parent.ts";
import { serve } from "./server.ts";

const [version = ""] = process.argv.slice(2);
console.log(await serve(version, process.cwd()));
endWith(process.ppid);
