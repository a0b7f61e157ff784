/** `npm run dev`: the Worker and its page on this machine, again after every change of a file. */
import { once } from "node:events";
import { Command } from "commander";
import { END_SIGNALS } from "../common/interrupted.ts";
import { serve } from "../dev/server.ts";
import { runCommand } from "./command.ts";
import { whenNpmEnds } from "./npm-parent.ts";
import { port } from "./options.ts";

const program = new Command("npm run dev --")
  .description("The Worker and its page as they are in worker/, again after every change. Ctrl-C ends it.")
  .option("--port <n>", "where it answers", port, 8787)
  .option("--inspector-port <n>", "where a debugger attaches", port, 9229)
  .action(async (options: { readonly port: number; readonly inspectorPort: number }) => {
    const npmEnds = Promise.withResolvers<void>();
    whenNpmEnds(npmEnds.resolve);
    const server = await serve({ ...options, say: (line) => console.log(line) });
    console.log(`Ready on ${server.url.href}\nAdmin token: ${server.adminToken}. Ctrl-C ends it; the data is kept.`);
    for (const signal of END_SIGNALS) process.removeAllListeners(signal);
    const signals = END_SIGNALS.map((signal) => once(process, signal));
    await Promise.race([...signals, npmEnds.promise]);
    await server.close();
    process.exit(0);
  });

await runCommand(program);
