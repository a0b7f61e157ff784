/**
 * The process that runs the program: once, in a fresh Node, so that no module is older than its file. It holds the
 * folder's lock, works off one order, reports, and ends. Loading comes first, while the account may still be starting.
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { dirOption } from "./hints.ts";
// First, because it makes the load of all others shorter.
import "./lazy.ts";
// What the program will want, loaded before the account is there to work on.
import "../cloudflare.ts";
import * as pulumi from "@pulumi/pulumi";
import { END_SIGNALS } from "../common/interrupted.ts";
import { load } from "../common/load-fault.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import { Api } from "../provider/api.ts";
import { object } from "../provider/values.ts";
import { lockFolder } from "./folder-lock.ts";
import type { Order, Report } from "./messages.ts";
import { Monitor } from "./monitor.ts";
import { conceal } from "./secrets.ts";
import { STATE_FILE, State } from "./state.ts";
import { Steps } from "./steps.ts";

const tell = (report: Report) =>
  new Promise<void>((resolve) => {
    // Nobody is left to tell when the parent has gone; the state has it all.
    if (!process.send) return resolve();
    process.send(report, () => resolve());
  });

process.once("message", async (order: Order) => {
  try {
    await tell({ kind: "ended", outputs: await apply(order) });
    process.exit(0);
  } catch (error) {
    await tell({ kind: "failed", message: wordsOf(error) });
    process.exit(1);
  }
});
await tell({ kind: "ready" });

/** Runs the program and returns its outputs, secrets concealed. */
async function apply(order: Order): Promise<Record<string, unknown>> {
  const { dir, accountId, connection, project, stack, folder, config, secretKeys } = order;
  const unlock = lockFolder(dir);
  try {
    const state = State.open(join(dir, STATE_FILE), accountId);
    mustBeOf(project, state, dir);
    const steps = new Steps(state, folder, new Api(connection), (step) => void tell({ kind: "step", step }));
    const monitor = new Monitor(steps, folder, connection);
    await monitor.install(project, stack);
    pulumi.runtime.setAllConfig({ ...config }, [...secretKeys]);
    stopOn(monitor);

    const program = pulumi.runtime
      .runInPulumiStack(async () => ({ ...(await load<object>(pathToFileURL(join(folder, "index.ts")).href)) }))
      .then(() => pulumi.runtime.disconnect())
      .catch((error) => monitor.stop(faultOf(error)));
    // Where a resource has failed, the program may wait for it for ever.
    await Promise.race([program, monitor.stopped]);
    await mustGoOn(monitor);
    if (pulumi.log.hasErrors()) throw new pulumi.RunError("The program has logged errors, which are above.");
    await steps.finish(() => monitor.hasFailed);
    await mustGoOn(monitor);
    return object(conceal(monitor.outputs));
  } finally {
    unlock();
  }
}

/** @throws UserError with all that went wrong, where something has. */
async function mustGoOn(monitor: Monitor): Promise<void> {
  if (monitor.hasFailed) throw new UserError((await monitor.stopped).map(({ message }) => message).join("\n"));
}

/**
 * Resources of another project are none that this program declares: an apply would delete them, with all their data.
 * @throws UserError saying whose they are.
 */
function mustBeOf(project: string, { projects }: State, dir: string): void {
  const other = projects.find((name) => name !== project);
  if (other === undefined) return;
  throw new UserError(
    `What is deployed in ${dir} belongs to a project ${other}, and this one is ${project} (Pulumi.yaml). Nothing was changed. ` +
      `Fix: deploy to another folder (--dir); or give the project its old name back (\`name: ${other}\` in Pulumi.yaml). ` +
      `Where nobody needs that data any more: npm start --${dirOption(dir)} --fresh forgets it and begins anew.`,
  );
}

/** Ends the apply in order on whatever else can end it: an error that nobody awaits, a signal, the parent's end. */
function stopOn(monitor: Monitor): void {
  process.on("uncaughtException", (error) => monitor.stop(faultOf(error)));
  process.on("unhandledRejection", (error) => monitor.stop(faultOf(error)));
  const interrupted = () => monitor.stop(new Error("The apply was interrupted. Run it again to complete it."));
  // More than once: a terminal sends Ctrl-C to this process, and the command that waits for it asks as well.
  for (const event of [...END_SIGNALS, "disconnect"]) process.on(event, interrupted);
}

/** An error of the program: with its stack trace, unless it was made for people to read. */
function faultOf(error: unknown): Error {
  if (isUserError(error) || error instanceof pulumi.ResourceError) return error;
  return new Error(stackOf(error), { cause: error });
}

/** What is told of an error: its message where it was made for people to read, else its stack, because it is a bug. */
const wordsOf = (error: unknown): string => (isUserError(error) ? error.message : stackOf(error));

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
