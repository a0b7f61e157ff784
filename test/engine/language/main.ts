/** The language host's process: prints its port, as the engine expects, and serves until the engine has ended. */
import { endWith } from "../plugin/parent.ts";
import { serve } from "./server.ts";

const [engine = ""] = process.argv.slice(2);
console.log(await serve(engine));
endWith(process.ppid);
