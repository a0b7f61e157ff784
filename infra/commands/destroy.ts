/**
 * `npm run destroy -- --stack S`: says what is lost with a stack and what stands against it, asks, and only then runs
 * `pulumi destroy`. An obstacle that is met in the middle would leave half a stack.
 */

import { Command } from "commander";
import { dirOption } from "../apply/hints.ts";
import { runPulumi } from "../apply/pulumi-cli.ts";
import { lockLine } from "../apply/update-line.ts";
import type { ObjectCount, Reads } from "../plan/account/reads.ts";
import { bindersOf } from "../plan/claims/own-worker.ts";
import { type DestroyPlan, destroyPlan } from "../plan/destroy-plan.ts";
import { awaitedFrom } from "../plan/live/transfers.ts";
import { type LiveWorker, listWorkers, readLive } from "../plan/live/worker.ts";
import type { Known } from "../plan/state/known.ts";
import { notDeclared, notInState } from "../plan/storage/in-state.ts";
import { isEmpty, isGone } from "../plan/storage/kinds.ts";
import type { Properties } from "../provider/values.ts";
import { ROOT } from "../release/root.ts";
import { LOGICAL } from "../stack/declared.ts";
import { engineResources, knownOf } from "../stack/engine-file.ts";
import { saying } from "../stack/interrupted.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { LOCAL } from "../stack/project.ts";
import { pullOf } from "../stack/pull-stack.ts";
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
  const { lost, obstacles, isBehind } = await destructionOf(openStack(name, { dir }));
  const losesNothing = lost.length === 0;
  // As after a destruction that was interrupted: the state may have something left that is in no account.
  if (losesNothing) console.log(`Nothing of the stack ${name} is left in its account.`);
  else console.log(`With the stack ${name} is lost, for good:\n${lines(lost)}`);
  if (obstacles.length > 0) throw new UserError(`\nNothing was deleted. What stands against it:\n${lines(obstacles)}`);
  if (!losesNothing) await confirm(`Delete all of it`, yes);
  const code = await saying(
    (isDone) =>
      isDone
        ? `\nInterrupted. All of ${name} was deleted all the same.`
        : `\nInterrupted. Part of ${name} is deleted, and no part comes back. What is left, and to delete it: npm run destroy -- --stack ${name}`,
    runPulumi(["destroy", "--stack", name, ...(isBehind ? ["--refresh"] : []), "--yes", "--skip-preview"], ROOT),
  );
  if (code !== 0)
    throw new UserError(
      `Not all of it is deleted. Correct what is above, then run the same command again. ${lockLine(name)}`,
    );
}

/** A plan; `isBehind`: whether the state has what is gone from the account. */
interface Planned extends DestroyPlan {
  readonly isBehind: boolean;
}

/** Reads the state and the account; sends nothing. */
async function destructionOf({ name, settings, reads }: OpenStack): Promise<Planned> {
  const resources = engineResources(name);
  const known = knownOf(resources);
  const worker = known.get("Worker", LOGICAL.worker);
  // By its id: the name that it has now, whatever the state says.
  const workers = await listWorkers(reads);
  const there = workers.list.find(({ id, name: called }) =>
    worker ? id === worker.id : called === settings.workerName,
  );
  // Where the account does not have it either, a destruction was interrupted after it.
  if (!worker && there) {
    throw new UserError(
      `The state of ${name} has no Worker: \`pulumi destroy\` would leave it in the account. Where the state was lost: npm run recover -- --stack ${name}`,
    );
  }
  const live = await readLive(workers, there?.name ?? settings.workerName);
  const awaited = there ? await awaitedFrom(workers, there.name, live.classes) : [];
  const inState = { kv: known.get("WorkersKvNamespace", LOGICAL.reads), bucket: known.get("R2Bucket", LOGICAL.blobs) };
  const kv = await held(inState.kv, "kv", reads);
  const bucket = await held(inState.bucket, "r2", reads);
  const extra = await extraStorage(known, reads);
  // The provider fails to delete a bucket that is gone, so the state is refreshed first. Not always: a refresh reads the
  // built release as long as the state has its version. An interrupted destruction has deleted that before any storage.
  const isBehind =
    (inState.kv && !kv) ||
    (inState.bucket && !bucket) ||
    extra.length < notDeclared(known, []).length ||
    (worker && !there);
  const plan = destroyPlan({
    stack: name,
    workerName: there?.name,
    objects: there ? await objectsOf(there.name, live, reads) : new Map(),
    kv: kv && { title: String(kv.title), isEmpty: await reads.kvIsEmpty(String(kv.id)) },
    bucket: bucket && { name: String(bucket.name), isEmpty: await reads.bucketIsEmpty(String(bucket.name)) },
    storage: extra,
    // An update of a pull request's stack that was killed may have left some, and all of it goes with `npm run pr`.
    notInState: pullOf(name) === undefined ? await notInState({ settings, reads, known, live }) : [],
    boundBy: there ? bindersOf(there) : [],
    awaited,
    isProtected: resources.flatMap(({ urn, protect }) => (protect ? (urn.split("::").at(-1) ?? urn) : [])),
  });
  return { ...plan, isBehind: Boolean(isBehind) };
}

/** Objects by class. Where no namespaces can be listed, the classes are those of what serves; undefined: it names none. */
async function objectsOf(
  workerName: string,
  { classes, complete }: LiveWorker,
  reads: Reads,
): Promise<ReadonlyMap<string, ObjectCount | undefined> | undefined> {
  const namespaces = await reads.namespaces(workerName);
  if (namespaces) {
    const counts = namespaces.map(async ({ id, class: name }) => [name ?? id, await reads.objects(id)] as const);
    return new Map(await Promise.all(counts));
  }
  return complete ? new Map([...(classes?.keys() ?? [])].map((name) => [name, undefined])) : undefined;
}

/** A resource of storage, where the account still has it: a destruction that was killed may not have noted that it went. */
async function held(outputs: Properties | undefined, kind: "kv" | "r2", reads: Reads): Promise<Properties | undefined> {
  if (!outputs) return undefined;
  return (await isGone({ kind }, reads, String(kind === "r2" ? outputs.name : outputs.id))) ? undefined : outputs;
}

/** What the state has for bindings of wrangler.jsonc, and the account, too. */
async function extraStorage(known: Known, reads: Reads) {
  const all = await Promise.all(
    notDeclared(known, []).map(async ({ kind, what, name, id, jurisdiction }) => {
      const where = { kind, jurisdiction };
      if (await isGone(where, reads, id)) return [];
      return [{ kind, what, name, isEmpty: await isEmpty(where, reads, id) }];
    }),
  );
  return all.flat();
}

const lines = (texts: readonly string[]) => texts.map((text) => `  ${text}`).join("\n");

await runCommand(command);
