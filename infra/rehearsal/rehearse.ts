/**
 * The rehearsal of a release: in a throw-away local account the older release is deployed, filled with data through
 * the API that everybody uses, and followed by the newer one; then all of it is read back. What is missing after must
 * have been named by the plan.
 */
import { randomBytes } from "node:crypto";
import { type RunningAccount, startAccount } from "@durable-stack/local-account";
import Cloudflare from "cloudflare";
import * as v from "valibot";
import { applyProgram } from "../apply/apply.ts";
import { Client } from "../smoke/client.ts";
import { ApiKeys, KeysError } from "../stack/api-keys.ts";
import { fullKey, projectName, readProject } from "../stack/project.ts";
import { defaultWorkerName } from "../stack/worker-name.ts";
import { type Back, goBack, noWayBack } from "./back.ts";
import { type ClassOutcome, type Compared, type Content, compare, destroyed, fateOf, plannedMoves } from "./classes.ts";
import type { Filled } from "./filling.ts";
import { fillings } from "./patterns.ts";
import { type Side, SideError, wantStack } from "./side.ts";
import { boundHere, handsOver, makeOwn, makePartners, makeStandIns } from "./stand-ins.ts";
import { type Asked, ask, type HeldOpen, hold } from "./visitors.ts";

export interface RehearsalOptions {
  readonly from: Side;
  readonly to: Side;
  /** Whose settings both are deployed with. */
  readonly stack: string;
  /** Objects of each class that get data. */
  readonly objects: number;
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
  /** Classes that the newer release takes away, and that the stack's config does not allow it to yet. */
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

/** The number of the older release's version, in an account that had none before. */
const OLDER_VERSION = "1";

/** At most so many calls at once: a rehearsal is not a load test. */
const LANES = 8;

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
  const { dir, from, to, stack, objects, onProgress } = options;
  const adminToken = randomBytes(24).toString("hex");
  const names = [projectName(from.root), projectName(to.root)];
  if (names[0] !== names[1]) {
    throw new SideError(
      `${from.name} belongs to a project ${names[0]}, and ${to.name} to a project ${names[1]} (Pulumi.yaml): to Pulumi these are two stacks, and neither takes over what the other has. Name a release that was made since the project was renamed.`,
    );
  }
  const planned = plannedMoves(to.migrations, from.release.migration.step, stack);
  const deploy = (side: Side, lines: string[] = [], more: Record<string, string> = {}) =>
    applyProgram({
      dir,
      account,
      root: side.root,
      stack,
      config: {
        ...settings(side, adminToken, destroyed(planned)),
        ...(setting(side, stack, "bind") !== undefined && {
          bind: JSON.stringify(boundHere(side.release, bindOf(side, stack))),
        }),
        ...more,
      },
      onLine: (line) => lines.push(line),
    });

  const standIns = await makeStandIns(
    account,
    [from, to].map((side) => ({ release: side.release, bind: bindOf(side, stack) })),
    [from, to].map((side) => nameOf(side, stack)),
    planned,
  );
  const worker = nameOf(from, stack);
  const partners = planned.some(({ kind }) => kind === "send" || kind === "receive");
  // Among stand-ins the Worker is found by its name, so a new one is not rehearsed there.
  const named: Record<string, string> = standIns.size > 0 || partners ? { workerName: worker } : {};
  onProgress(`deploying ${from.name}`);
  const begun = handsOver(from.migrations);
  if (begun) await makeOwn(account, worker, from.migrations);
  await deploy(from, [], begun ? { adopt: "true" } : {});
  await makePartners(account, planned, worker, standIns);
  const base = new URL(`http://127.0.0.1:${account.port}/`);

  onProgress("filling it with data");
  const fillable = await fillings();
  const classes = from.release.bindings.map(({ binding, className }) => ({
    className,
    pattern: fillable.find((pattern) => pattern.binding === binding),
  }));
  const callers = await Callers.of(account, base, worker);
  /** Fills every pattern, in objects of other names for each `batch`. */
  const fill = async (batch: string, regions: readonly string[]): Promise<readonly Filled[]> => {
    const filled: Filled[] = [];
    for (const pattern of fillable) {
      const className = classes.find((candidate) => candidate.pattern === pattern)?.className;
      if (className === undefined) continue;
      const made = await inLanes(Array.from({ length: objects }), async (_, index): Promise<Filled> => {
        const client = await callers.next();
        const nextRegion = regions[index % regions.length] ?? "";
        const id = `${nextRegion}~${batch}-${index}`;
        const subject = { client, id, index, round: 0, adminToken };
        const { read, token, region = nextRegion } = await pattern.fill(subject);
        return { pattern, className, subject, id, region, client, read, token };
      });
      filled.push(...made);
    }
    return filled;
  };
  const filled = await fill("rehearsal", regionsOf(from, stack));
  const before = await readAll(filled);
  const givenUp = regionsGivenUp(from, to, stack);
  const sockets = await holdSockets(filled, givenUp);

  onProgress(`deploying ${to.name}`);
  const plan: string[] = [];
  const began = performance.now();
  const deployed = deploy(to, plan, named);
  const [asked, { steps }] = await Promise.all([ask(new Client(base), to.release.digest, deployed), deployed]).catch(
    async (error: unknown) => {
      // A refusal. Who is connected would keep the account from closing.
      for (const letGo of sockets.values()) await letGo(true);
      throw error;
    },
  );
  const deployMs = Math.round(performance.now() - began);

  onProgress("reading it back");
  const after = await readAll(filled);
  const objectsOf = (className: string): readonly Compared[] =>
    filled.flatMap((object, i) => {
      const [was, is] = [before[i], after[i]];
      if (object.className !== className || !was || !is) return [];
      return [{ id: object.id, before: was, after: is, givenUp: givenUp.includes(object.region) }];
    });
  const outcomes = [...new Set(filled.map(({ className }) => className))].map((className) =>
    compare(className, fateOf(className, planned), objectsOf(className)),
  );
  const held: Record<string, HeldOpen> = {};
  for (const [className, letGo] of sockets) {
    const { kind } = fateOf(className, planned);
    held[className] = await letGo(kind === "deleted" || kind === "sent");
  }
  const stranded = Object.entries(held).some(
    ([className, { dropped, reconnected }]) => reconnected < dropped && !destroyed(planned).includes(className),
  );
  const kept = outcomes.every(({ ok }) => ok) && !stranded;
  const because = kept
    ? (noWayBack(from.release, to.release, planned) ?? regionsHidden(from, to, stack))
    : "something was lost on the way there";
  if (because === undefined) onProgress(`rolling back to ${from.name}`);
  const back: Back =
    because === undefined
      ? await goBack({
          filled: filled.filter(({ region }) => !givenUp.includes(region)),
          fillMore: () => fill("rehearsal-newer", regionsOf(to, stack)),
          rollBack: () => deploy(to, [], { pin: OLDER_VERSION, ...named }),
          readAll,
          inLanes,
        })
      : { kind: "not-tried", because };
  return {
    plan,
    classes: outcomes,
    unfilled: classes.filter(({ pattern }) => pattern === undefined).map(({ className }) => className),
    notAllowed: destroyed(planned).filter((className) => !allowedIn(to, stack).includes(className)),
    asked,
    sockets: held,
    deployMs,
    changed: steps.filter(({ action }) => action !== "unchanged").map(({ action, name }) => `${action} ${name}`),
    back,
    ok: kept && (back.kind === "not-tried" || back.faults.length === 0),
  };
}

/**
 * What is laid over the stack's own config: a throw-away account has no zones, no earlier versions and no other stack to
 * promote from, and here the plan may delete whatever it names, because a rehearsal shows what that costs.
 */
function settings(side: Side, adminToken: string, allowDestroy: readonly string[]): Record<string, string> {
  return {
    adminToken: adminToken,
    release: side.setting,
    promotesFrom: "",
    zoneId: "",
    hostname: "",
    routes: "",
    rollout: "100",
    pin: "0",
    allowDestroy: JSON.stringify(allowDestroy),
  };
}

/** A setting of the stack's own config. */
function setting({ root }: Side, stack: string, key: string): string | undefined {
  const { name, config } = readProject(root, stack);
  return config[fullKey(name, key)] || undefined;
}

const nameOf = (side: Side, stack: string): string =>
  setting(side, stack, "workerName") ?? defaultWorkerName(projectName(side.root), stack);

const allowedIn = (side: Side, stack: string): readonly string[] =>
  v.parse(v.array(v.string()), JSON.parse(setting(side, stack, "allowDestroy") ?? "[]"));

const bindOf = (side: Side, stack: string): Readonly<Record<string, string>> =>
  v.parse(v.record(v.string(), v.string()), JSON.parse(setting(side, stack, "bind") ?? "{}"));

const Regions = v.array(v.object({ id: v.string(), prefix: v.string() }));

const regionTable = (side: Side, stack: string) =>
  v.parse(Regions, JSON.parse(setting(side, stack, "regions") ?? "[]"));

/** The ids of the stack's regions: every one of them gets objects. */
const regionsOf = (side: Side, stack: string): readonly string[] => regionTable(side, stack).map(({ id }) => id);

/** The ids of the older release's regions that the newer one's config says may be lost. */
function regionsGivenUp(from: Side, to: Side, stack: string): readonly string[] {
  const allowed = v.parse(v.array(v.string()), JSON.parse(setting(to, stack, "allowRegionLoss") ?? "[]"));
  const environment = setting(from, stack, "environmentPrefix") ?? "";
  return regionTable(from, stack)
    .filter(({ prefix }) => allowed.includes(`${environment}${prefix}`))
    .map(({ id }) => id);
}

/** Why no way back is tried, in words, where the older settings lack regions: a rollback that hides objects is refused. */
function regionsHidden(from: Side, to: Side, stack: string): string | undefined {
  const before = regionsOf(from, stack);
  const added = regionsOf(to, stack).filter((id) => !before.includes(id));
  return added.length === 0
    ? undefined
    : `${from.name} has no region ${added.join(", ")}: going back hides what is there`;
}

/** Callers with an API key each, so that nobody waits for another one's tokens. */
class Callers {
  readonly #base: URL;
  readonly #keys: ApiKeys | undefined;

  private constructor(base: URL, keys: ApiKeys | undefined) {
    this.#base = base;
    this.#keys = keys;
  }

  static async of({ apiUrl, token, accountId }: RunningAccount, base: URL, worker: string): Promise<Callers> {
    const client = new Cloudflare({ baseURL: apiUrl, apiToken: token, apiKey: null, apiEmail: null, logLevel: "off" });
    try {
      return new Callers(base, await ApiKeys.of(client, accountId, worker));
    } catch (error) {
      // A release from before there were keys: all calls come from one address, and wait where they must.
      if (error instanceof KeysError) return new Callers(base, undefined);
      throw error;
    }
  }

  async next(): Promise<Client> {
    const made = await this.#keys?.create("rehearsal");
    return new Client(this.#base, made ? { "X-API-Key": made.key } : {});
  }
}

/** What every object holds now. The last ones filled are asked first: their buckets refill. */
async function readAll(filled: readonly Filled[]): Promise<readonly Content[]> {
  const contents = await inLanes(filled.toReversed(), async ({ read }): Promise<Content> => {
    try {
      return { data: await read() };
    } catch (error) {
      return { fault: error instanceof Error ? error.message : String(error) };
    }
  });
  return contents.toReversed();
}

/** Those in regions that are given up would have nothing to come back to. */
async function holdSockets(filled: readonly Filled[], givenUp: readonly string[]) {
  const letGo = new Map<string, Awaited<ReturnType<typeof hold>>>();
  for (const className of new Set(filled.map((one) => one.className))) {
    const connects = filled.flatMap(({ className: of, pattern: { socket }, id, region, client, token }) =>
      of === className && socket && !givenUp.includes(region)
        ? [async () => client.connect(socket(id), { token: await token?.() })]
        : [],
    );
    if (connects.length > 0) letGo.set(className, await hold(connects));
  }
  return letGo;
}

/** Works on all of `items`, a few at a time, and returns the results in their order. */
async function inLanes<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async () => {
    for (const [index, item] of left) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}
