/**
 * `npm run destroy -- --stack S`: says what is lost with a stack and what stands against it, asks, and only then runs
 * `pulumi destroy`. An obstacle that is met in the middle would leave half a stack.
 */

import { Command } from "commander";
import { dirOption } from "../apply/hints.ts";
import { runPulumi } from "../apply/pulumi-cli.ts";
import { type DestroyPlan, destroyPlan } from "../plan/destroy-plan.ts";
import type { Known } from "../plan/known.ts";
import { readWorker } from "../plan/live.ts";
import type { Reads } from "../plan/reads.ts";
import { isEmpty, notDeclared, notInState } from "../plan/storage-claims.ts";
import { pullOf } from "../pull-request/stack-name.ts";
import { ROOT } from "../release/root.ts";
import { LOGICAL } from "../stack/declared.ts";
import { engineResources, knownOf } from "../stack/engine-file.ts";
import { saying } from "../stack/interrupted.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { LOCAL } from "../stack/project.ts";
import { UserError } from "../stack/user-error.ts";
import { confirm, onStack, runCommand, type StackCommandOptions } from "./command.ts";

interface Options extends StackCommandOptions {
  readonly yes?: boolean;
}

const command = onStack(new Command("npm run destroy --"))
  .description("Say what is lost with a stack and what stands against it, then run `pulumi destroy`.")
  .option("--yes", "do not ask")
  .action(destroy);

async function destroy({ stack: name, dir, yes = false }: Options): Promise<void> {
  if (name === LOCAL) {
    throw new UserError(
      `The stack ${LOCAL} goes with its account: \`npm start --${dirOption(dir)} --fresh\` forgets the account in ${dir}, with all data in it, and begins anew. Nothing was changed.`,
    );
  }
  const { lost, obstacles } = await planOf(openStack(name, { dir }));
  console.log(`With the stack ${name} is lost, for good:\n${lines(lost)}`);
  if (obstacles.length > 0) throw new UserError(`\nNothing was deleted. What stands against it:\n${lines(obstacles)}`);
  await confirm(`Delete all of it`, yes);
  const code = await saying(
    (isDone) =>
      isDone
        ? `\nInterrupted. All of ${name} was deleted all the same.`
        : `\nInterrupted. Part of ${name} is deleted, and no part comes back. What is left, and to delete it: npm run destroy -- --stack ${name}`,
    runPulumi(["destroy", "--stack", name, "--yes", "--skip-preview"], ROOT),
  );
  if (code !== 0)
    throw new UserError("Not all of it is deleted. Correct what is above, then run the same command again.");
}

/** Reads the state and the account; sends nothing. */
async function planOf({ name, settings, reads }: OpenStack): Promise<DestroyPlan> {
  const resources = engineResources(name);
  const known = knownOf(resources);
  const worker = known.get("Worker", LOGICAL.worker);
  if (!worker) {
    throw new UserError(
      `The state of ${name} has no Worker: \`pulumi destroy\` would leave it in the account. Where the state was lost: npm run recover -- --stack ${name}`,
    );
  }
  // The name that it has now, whatever the state says.
  const workers = await reads.workers();
  const workerName = workers.find(({ id }) => id === worker.id)?.name ?? settings.workerName;
  const live = await readWorker(reads, workerName);
  const namespaces = (await reads.namespaces(workerName)) ?? [];
  const objects = await Promise.all(
    namespaces.map(async ({ id, class: className }) => [className ?? id, await reads.objects(id)] as const),
  );
  const kv = known.get("WorkersKvNamespace", LOGICAL.reads);
  const bucket = known.get("R2Bucket", LOGICAL.blobs);
  const there = bucket && (await reads.bucketExists(String(bucket.name))) !== false;
  return destroyPlan({
    stack: name,
    workerName,
    objects: new Map(objects),
    kv: kv && { title: String(kv.title), isEmpty: await reads.kvIsEmpty(String(kv.id)) },
    bucket:
      bucket && there
        ? { name: String(bucket.name), isEmpty: await reads.bucketIsEmpty(String(bucket.name)) }
        : undefined,
    storage: await extraStorage(known, reads),
    // An update of a pull request's stack that was killed may have left some, and all of it goes with `npm run pr`.
    notInState: pullOf(name) === undefined ? await notInState({ settings, reads, known, live }) : [],
    isProtected: resources.flatMap(({ urn, protect }) => (protect ? (urn.split("::").at(-1) ?? urn) : [])),
  });
}

/** What the state has for bindings of wrangler.jsonc. */
const extraStorage = (known: Known, reads: Reads) =>
  Promise.all(
    notDeclared(known, []).map(async ({ kind, what, name, id, jurisdiction }) => ({
      kind,
      what,
      name,
      isEmpty: await isEmpty({ kind, jurisdiction }, reads, kind === "r2" ? name : id),
    })),
  );

const lines = (texts: readonly string[]) => texts.map((text) => `  ${text}`).join("\n");

await runCommand(command);
