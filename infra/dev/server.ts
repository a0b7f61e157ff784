/**
 * The Worker in workerd as its files are, with the bindings of wrangler.jsonc, and again after every change of a file.
 * `wrangler dev` does the same more slowly: it starts a process for the page and bundles twice.
 */
import { join } from "node:path";
import { takeFileLock } from "../stack/file-lock.ts";
import { mustBeFree } from "../stack/ports.ts";
import { isUserError } from "../stack/user-error.ts";
import { Bundles } from "./bundles.ts";
import { onChanges } from "./changes.ts";
import { type Bound, optionsOf, STATE } from "./options.ts";
import { DevPage } from "./page.ts";
import { Runtime } from "./runtime.ts";

export interface DevOptions extends Bound {
  /** Told of what happens, line by line. */
  readonly say: (line: string) => void;
}

export interface DevServer {
  readonly url: URL;
  close(): Promise<void>;
}

/**
 * Serves until it is closed.
 * @throws UserError where another serves the same data, a port is in use, or the Worker does not build or start.
 */
export async function serve(options: DevOptions): Promise<DevServer> {
  const unlock = takeFileLock(
    join(STATE, "../dev.lock"),
    `\`npm run dev\` runs on this data already (${STATE}); stop that one.`,
  );
  try {
    await mustBeFree([
      { port: options.port, option: "--port" },
      { port: options.inspectorPort, option: "--inspector-port" },
    ]);
    const server = await served(options);
    return {
      url: server.url,
      async close() {
        await server.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function served({ say, ...given }: DevOptions): Promise<DevServer> {
  const [page, bundles, runtime] = [new DevPage(), new Bundles(), new Runtime()];
  let isClosed = false;
  const run = async (changed: readonly string[], bound: Bound): Promise<URL> => {
    await page.follow(changed);
    return runtime.run(optionsOf(await bundles.next(), bound));
  };
  // Before anything is read: a change that comes later is applied as soon as there is what to apply it to.
  const first = Promise.withResolvers<Bound>();
  const sayOpen = (line: string) => (isClosed ? undefined : say(line));
  const stop = onChanges(async (changed) => {
    const bound = await first.promise;
    const begun = performance.now();
    try {
      await run(changed, bound);
      sayOpen(`Reloaded in ${Math.round(performance.now() - begun)} ms`);
    } catch (error) {
      if (!isUserError(error)) throw error;
      sayOpen(
        `${error.message}\n${runtime.isRunning ? "What ran before goes on." : "Nothing runs until that is corrected."}`,
      );
    }
  }, sayOpen);
  const close = async () => {
    isClosed = true;
    stop();
    await Promise.all([runtime.close(), bundles.dispose()]);
  };
  try {
    const url = await run([], given);
    // A bundler is twice as fast from its second time on, and nobody waits for this one. What broke since is told there.
    await bundles.next().catch(() => {});
    first.resolve({ ...given, port: Number(url.port) });
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}
