/**
 * The Worker in workerd as its files are, with the bindings of wrangler.jsonc, and again after every change of a file.
 * `wrangler dev` does the same more slowly: it starts a process for the page and bundles twice.
 */
import { join } from "node:path";
import { takeFileLock } from "../common/file-lock.ts";
import { mustBeFree } from "../common/ports.ts";
import { isUserError } from "../common/user-error.ts";
import { Bundles } from "./bundles.ts";
import { onChanges } from "./changes.ts";
import { type Bound, runnable, STATE } from "./options.ts";
import { DevPage } from "./page.ts";
import { Runtime } from "./runtime.ts";

interface DevOptions extends Bound {
  /** Told of what happens, line by line. */
  readonly say: (line: string) => void;
}

export interface DevServer {
  readonly url: URL;
  /** The admin token that the Worker takes, or where that stands. Told again where a change of a file makes it another. */
  readonly adminToken: string;
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
      ...server,
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
  const bundled = async (changed: readonly string[]) => {
    try {
      await page.follow(changed);
      return await bundles.next();
    } finally {
      changes.follow([page.madeOf, bundles.madeOf]);
    }
  };
  const run = async (changed: readonly string[], bound: Bound) => {
    const bundle = await bundled(changed);
    const { options, adminToken } = runnable(bundle, bound);
    return { url: await runtime.run(options, bundle), adminToken };
  };
  // Before anything is read: a change that comes later is applied as soon as there is what to apply it to.
  const first = Promise.withResolvers<Bound>();
  let told: string;
  const sayOpen = (line: string) => (isClosed ? undefined : say(line));
  const changes = onChanges(async (changed) => {
    const bound = await first.promise;
    const begun = performance.now();
    try {
      const { adminToken } = await run(changed, bound);
      if (adminToken !== told) sayOpen(`Admin token: ${adminToken}`);
      told = adminToken;
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
    changes.stop();
    await Promise.all([runtime.close(), bundles.dispose()]);
  };
  try {
    const { url, adminToken } = await run([], given);
    told = adminToken;
    // A bundler is twice as fast from its second time on, and nobody waits for this one. What broke since is told there.
    await bundles.next().catch(() => {});
    first.resolve({ ...given, port: Number(url.port) });
    return { url, adminToken, close };
  } catch (error) {
    await close();
    throw error;
  }
}
