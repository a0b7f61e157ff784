/** The stacks of pull requests, by the Pulumi CLI: listed, made, asked for their address, and taken down. */
import { join } from "node:path";
import * as v from "valibot";
import { inForeground } from "../apply/foreground.ts";
import { askPulumi, runPulumi } from "../apply/pulumi-cli.ts";
import { bareName } from "../apply/pulumi-line.ts";
import { writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { notDeclared } from "../plan/storage/in-state.ts";
import { emptyBucket } from "../provider/buckets.ts";
import { ownMigrations } from "../release/own-migrations.ts";
import { readRelease } from "../release/read.ts";
import { ROOT } from "../release/root.ts";
import { releaseDir } from "../stack/config.ts";
import { LOGICAL } from "../stack/declared.ts";
import { engineResources, knownOf, mustBeInAccount } from "../stack/engine-file.ts";
import { storageOf } from "../stack/extras.ts";
import { openStack } from "../stack/open.ts";
import { ownFile, projectName, readStackFile, stackNames } from "../stack/project.ts";
import { stackOf } from "../stack/pull-stack.ts";
import { emptyBuckets, removeLeftovers } from "./leftovers.ts";
import { stackFile } from "./stack-file.ts";
import { Listed } from "./stale.ts";

type Say = (line: string) => void;

/** All stacks of the project. @throws UserError in the CLI's own words. */
export const listStacks = (): readonly Listed[] => asked(["stack", "ls", "--json"], v.array(Listed));

/**
 * Writes the settings of the pull request's stack, which are like those of the stack `like`, and makes the stack where the
 * backend has none. @throws UserError where there is no such stack to be like.
 */
export async function makeStack(pull: number, like: string, say: Say): Promise<void> {
  writeSettings(pull, like);
  if ((await runPulumi(["stack", "select", stackOf(pull), "--create"], ROOT)) !== 0)
    throw new UserError(`The stack ${stackOf(pull)} could not be made: see above.`);
  await emptyGoing(stackOf(pull), say);
}

/**
 * Empties the buckets that the release at hand asks for no more: the update deletes them, and Cloudflare deletes none with
 * something in it.
 */
async function emptyGoing(name: string, say: Say): Promise<void> {
  const known = knownOf(engineResources(name));
  if (notDeclared(known, []).length === 0) return;
  const { api, settings } = openStack(name, { dir: "" });
  const left = notDeclared(known, storageOf(readRelease(releaseDir(settings)), settings));
  for (const { kind, name: called, jurisdiction } of left) {
    if (kind !== "r2") continue;
    const objects = await emptyBucket(api, { accountId: settings.accountId, name: called, jurisdiction });
    if (objects > 0) say(`${objects} objects deleted from the bucket ${called}, which this release asks for no more`);
  }
}

function writeSettings(pull: number, like: string): void {
  if (!stackNames(ROOT).includes(like))
    throw new UserError(`There is no ${ownFile(like)} to take the settings from: name another stack with --like.`);
  const { config } = readStackFile(join(ROOT, ownFile(like)));
  const text = stackFile(pull, { project: projectName(), config, migrations: ownMigrations() });
  writeNamed(join(ROOT, ownFile(stackOf(pull))), text);
}

const Urls = v.object({ page: v.pipe(v.string(), v.url()) });

/** Where the stack's page is. @throws UserError where nothing is deployed. */
export const addressOfStack = (pull: number): URL =>
  new URL(asked(["stack", "output", "urls", "--json", "--stack", stackOf(pull)], Urls).page);

/**
 * Takes the pull request's stack down: what its state has by `npm run destroy`, what an update that was killed has left
 * in the account, and the stack itself. Where there is none it does nothing. @throws UserError where something stays.
 */
export async function takeDown(pull: number, like: string, say: Say): Promise<void> {
  const name = stackOf(pull);
  if (!listStacks().some((one) => bareName(one.name) === name)) {
    say(`there is no stack ${name}`);
    return;
  }
  writeSettings(pull, like);
  // An update that was killed leaves its lock. None runs now: both workflows do this in the group of the stack.
  await runPulumi(["cancel", "--stack", name, "--yes"], ROOT, {}, true);
  const stack = openStack(name, { dir: "" });
  const resources = engineResources(name);
  mustBeInAccount(resources, stack.settings);
  const objects = await emptyBuckets(stack);
  if (objects > 0) say(`${objects} objects deleted from the buckets of ${name}`);
  const isThere = knownOf(resources).get("Worker", LOGICAL.worker) !== undefined;
  const code = isThere ? destroyed(name) : runPulumi(["destroy", "--stack", name, "--yes", "--skip-preview"], ROOT);
  if ((await code) !== 0)
    throw new UserError(`Not all of ${name} is deleted: see above. The next sweep tries it again.`);
  for (const what of await removeLeftovers(stack)) say(`deleted, and in no state: ${what}`);
  if ((await runPulumi(["stack", "rm", name, "--yes"], ROOT)) !== 0)
    throw new UserError(`The stack ${name} is empty, and could not be removed: see above.`);
  say(`${name} is gone`);
}

/** As a person does it, with what is lost in words. */
function destroyed(name: string): Promise<number> {
  const command = join(ROOT, "infra/commands/destroy.ts");
  return inForeground(process.execPath, [command, "--stack", name, "--yes"], { cwd: ROOT, stdio: "inherit" });
}

/** What the CLI prints as JSON. */
function asked<Output>(args: readonly string[], schema: v.GenericSchema<unknown, Output>): Output {
  const { status, stdout, stderr } = askPulumi(args);
  const line = ["pulumi", ...args].join(" ");
  if (status !== 0) throw new UserError(`\`${line}\` failed: ${stderr.trim()}`);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), stdout);
  if (parsed.success) return parsed.output;
  throw new UserError(`\`${line}\` printed something else than was expected.`);
}
