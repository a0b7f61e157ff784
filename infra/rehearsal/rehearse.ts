/**
 * The rehearsal of a release: in a throw-away local account the older release is deployed, filled with data through
 * the API that everybody uses, and followed by the newer one; then all of it is read back. What is missing after must
 * have been named by the plan.
 */
import { randomBytes } from "node:crypto";
import type { Move } from "@durable-stack/class-lifecycle";
import { type RunningAccount, startAccount } from "@durable-stack/local-account";
import type { ApplyResult } from "../apply/apply.ts";
import { Client } from "../smoke/client.ts";
import { projectName } from "../stack/project.ts";
import { type Back, goBack, noWayBack } from "./back.ts";
import { type ClassOutcome, type Content, compare, destroyed, fateOf, plannedMoves } from "./classes.ts";
import type { Filled } from "./filling.ts";
import { allowedIn, nameOf, placesOf, regionsGivenUp, regionsHidden } from "./own-config.ts";
import { type Side, SideError, wantStack } from "./side.ts";
import { Stage } from "./stage.ts";
import { holdSockets, readAll, type Sockets, Stock } from "./stock.ts";
import { storageDropped, storageGone } from "./storage-dropped.ts";
import { type Asked, ask, type HeldOpen } from "./visitors.ts";

/** Objects of each class, where nobody says how many and the stack has no more regions. */
const USUAL_OBJECTS = 4;

interface RehearsalOptions {
  readonly from: Side;
  readonly to: Side;
  /** Whose settings both are deployed with. */
  readonly stack: string;
  /** Objects of each class that get data; undefined: 4, or one for each region where there are more. */
  readonly objects: number | undefined;
  /** The account's folder: an empty one. */
  readonly dir: string;
  /** Told of what is done next. */
  readonly onProgress: (line: string) => void;
}

export interface Rehearsal {
  /** What the program said of the newer release: its plan and its warnings, line by line. */
  readonly plan: readonly string[];
  readonly classes: readonly ClassOutcome[];
  /** Classes of the older release that no pattern here fills, and which say nothing of their data. */
  readonly unfilled: readonly string[];
  /** Regions of the older release that got no object, because fewer were asked for, and which say nothing of their data. */
  readonly unfilledRegions: readonly string[];
  /** Bindings whose storage the newer release takes away from the stack, with all that is in it. */
  readonly storageGoing: readonly string[];
  /** Classes and such bindings that the stack's config does not allow the newer release to take away yet. */
  readonly notAllowed: readonly string[];
  readonly asked: Asked;
  /** By the class that the WebSockets are of, in the older release. */
  readonly sockets: Readonly<Record<string, HeldOpen>>;
  /** Milliseconds that the newer release's apply took, and the resources that it changed. */
  readonly deployMs: number;
  readonly changed: readonly string[];
  /** What came of rolling back to the older release afterwards. */
  readonly back: Back;
  /** Whether nothing was lost that the plan did not name. */
  readonly ok: boolean;
}

/** Rehearses `to` after `from`. @throws ApplyFailed where one of them is refused, SideError where one has no such stack. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  for (const { name, root } of [options.from, options.to]) wantStack(name, root, options.stack);
  const account = await startAccount({
    dir: options.dir,
    port: 0,
    apiPort: 0,
    onLog: () => {},
    defaultWorker: nameOf(options.from, options.stack),
  });
  try {
    return await inAccount(account, options);
  } finally {
    await account.close();
  }
}

async function inAccount(account: RunningAccount, options: RehearsalOptions): Promise<Rehearsal> {
  const { dir, from, to, stack, onProgress } = options;
  wantOneProject(from, to);
  const adminToken = randomBytes(24).toString("hex");
  const planned = plannedMoves(to.migrations, from.release.migration.step, stack);
  const dropped = storageDropped(from, to, stack);
  const stage = await Stage.of(account, { from, to, stack, dir, adminToken, planned, going: dropped.here });
  onProgress(`deploying ${from.name}`);
  await stage.deployOlder();
  const base = new URL(`http://127.0.0.1:${account.port}/`);

  onProgress("filling it with data");
  const { release } = from;
  const places = placesOf(from, stack);
  const { objects = Math.max(USUAL_OBJECTS, places.regions.length, placesOf(to, stack).regions.length) } = options;
  const stock = await Stock.of(account, base, { release, worker: stage.worker, objects, adminToken });
  const filled = await stock.fill("rehearsal", places);
  const before = await readAll(filled);
  const givenUp = regionsGivenUp(from, to, stack);
  const sockets = await holdSockets(filled, givenUp);

  await stage.emptyGoing();
  onProgress(`deploying ${to.name}`);
  const plan: string[] = [];
  const { asked, deployMs, steps } = await underWatch(base, to, sockets, () => stage.deployNewer(plan));

  onProgress("reading it back");
  const classes = outcomesOf(filled, { before, after: await readAll(filled) }, planned, givenUp);
  const held = await releaseAll(sockets, planned);
  const kept = classes.every(({ ok }) => ok) && !isStranded(held, planned);
  const because = kept
    ? (noWayBack(from.release, to.release, planned) ?? regionsHidden(from, to, stack) ?? storageGone(from, dropped))
    : "something was lost on the way there";
  if (because === undefined) onProgress(`rolling back to ${from.name}`);
  const back: Back =
    because === undefined
      ? await goBack({
          filled: filled.filter(({ region }) => !givenUp.includes(region)),
          fillMore: () => stock.fill("rehearsal-newer", placesOf(to, stack)),
          rollBack: () => stage.rollBack(),
        })
      : { kind: "not-tried", because };
  return {
    plan,
    classes,
    unfilled: stock.unfilled,
    unfilledRegions: places.regions.slice(objects),
    storageGoing: dropped.inStack,
    notAllowed: [...destroyed(planned), ...dropped.inStack].filter((name) => !allowedIn(to, stack).includes(name)),
    asked,
    sockets: held,
    deployMs,
    changed: steps.filter(({ action }) => action !== "unchanged").map(({ action, name }) => `${action} ${name}`),
    back,
    ok: kept && (back.kind === "not-tried" || back.faults.length === 0),
  };
}

/** @throws SideError where the two are of projects with other names. */
function wantOneProject(from: Side, to: Side): void {
  const names = [projectName(from.root), projectName(to.root)];
  if (names[0] === names[1]) return;
  throw new SideError(
    `${from.name} belongs to a project ${names[0]}, and ${to.name} to a project ${names[1]} (Pulumi.yaml): to Pulumi these are two stacks, and neither takes over what the other has. Name a release that was made since the project was renamed.`,
  );
}

/** Deploys while somebody keeps asking, and says how that looked. */
async function underWatch(
  base: URL,
  { release }: Side,
  sockets: Sockets,
  deploy: () => Promise<ApplyResult>,
): Promise<{ readonly asked: Asked; readonly deployMs: number; readonly steps: ApplyResult["steps"] }> {
  const began = performance.now();
  const deployed = deploy();
  try {
    const [asked, { steps }] = await Promise.all([ask(new Client(base), release.digest, deployed), deployed]);
    return { asked, deployMs: Math.round(performance.now() - began), steps };
  } catch (error) {
    // A refusal. Who is connected would keep the account from closing.
    for (const letGo of sockets.values()) await letGo(true);
    throw error;
  }
}

interface Contents {
  readonly before: readonly Content[];
  readonly after: readonly Content[];
}

/** What became of each class that was filled; `givenUp`: the regions whose objects may be lost. */
function outcomesOf(
  filled: readonly Filled[],
  { before, after }: Contents,
  planned: readonly Move[],
  givenUp: readonly string[],
): readonly ClassOutcome[] {
  return [...new Set(filled.map(({ className }) => className))].map((className) => {
    const objects = filled.flatMap((object, i) => {
      const [was, is] = [before[i], after[i]];
      if (object.className !== className || !was || !is) return [];
      return [{ id: object.id, before: was, after: is, givenUp: givenUp.includes(object.region) }];
    });
    return compare(className, fateOf(className, planned), objects);
  });
}

/** Lets go of the WebSockets, by class. */
async function releaseAll(sockets: Sockets, planned: readonly Move[]): Promise<Readonly<Record<string, HeldOpen>>> {
  const held: Record<string, HeldOpen> = {};
  for (const [className, letGo] of sockets) {
    const { kind } = fateOf(className, planned);
    held[className] = await letGo(kind === "deleted" || kind === "sent");
  }
  return held;
}

/** Whether a WebSocket of a class that stays could not connect again. */
const isStranded = (held: Readonly<Record<string, HeldOpen>>, planned: readonly Move[]): boolean =>
  Object.entries(held).some(
    ([className, { dropped, reconnected }]) => reconnected < dropped && !destroyed(planned).includes(className),
  );
