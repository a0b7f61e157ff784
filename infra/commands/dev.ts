/**
 * `npm run dev`: the Worker in workerd, again after every change of a file of it or of its page. What `wrangler dev`
 * does, without its custom build: that starts a process for each change, and bundles anew from nothing.
 */
import { watch } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { unstable_startWorker } from "wrangler";
import { buildPage } from "../release/page.ts";
import { ROOT } from "../release/root.ts";
import { runCommand } from "./command.ts";

/** Of the page are those that no bundle of the Worker has. */
const OF_PAGE = /^(page|[^/]+\/panel)\//;
const MADE = "assets.gen";

const port = (written: string): number => {
  const parsed = Number(written);
  if (!Number.isInteger(parsed) || parsed < 0 || parsed > 65_535)
    throw new InvalidArgumentError("It is 0 to 65535; 0 takes a free one.");
  return parsed;
};

/** Builds the page once more whenever a file of it changes; one build after the other. */
function watchPage(): void {
  let building: Promise<void> = Promise.resolve();
  let waiting = false;
  watch(join(ROOT, "worker"), { recursive: true }, (_, file) => {
    if (file === null || !OF_PAGE.test(file) || file.includes(MADE) || waiting) return;
    waiting = true;
    building = building.then(async () => {
      waiting = false;
      await buildPage().catch((error: unknown) => console.error(String(error)));
    });
  });
}

const program = new Command("npm run dev --")
  .description("The Worker and its page, as they are in worker/, again after every change. Ctrl-C ends it.")
  .option("--port <n>", "where it answers", port, 8787)
  .option("--inspector-port <n>", "where a debugger attaches", port, 9229)
  .action(async (options: { readonly port: number; readonly inspectorPort: number }) => {
    await buildPage();
    watchPage();
    const worker = await unstable_startWorker({
      config: join(ROOT, "wrangler.jsonc"),
      // Not the file's own: the page is built here.
      build: { custom: { command: "" } },
      bindings: { ADMIN_TOKEN: { type: "plain_text", value: "dev-admin-token" } },
      dev: {
        server: { hostname: "127.0.0.1", port: options.port },
        inspector: { port: options.inspectorPort },
        persist: join(ROOT, ".wrangler/state"),
        logLevel: "log",
      },
    });
    await worker.ready;
    console.log(`Ready on ${await worker.url}`);
  });

await runCommand(program);
