/**
 * What a release needs outside of it, in the throw-away account of a rehearsal: queues, and Workers in the place of those
 * that its bindings and tail consumers lead to, and of those that classes come from or go to. Cloudflare refuses a
 * release without them.
 */
import { type Migration, type Move, replay } from "@durable-stack/class-lifecycle";
import Cloudflare from "cloudflare";
import * as v from "valibot";
import { JURISDICTIONS, type Region } from "../../contract/regions.ts";
import type { Release } from "../release/read.ts";
import type { Account } from "../stack/account.ts";
import type { PublicSettings } from "../stack/config.ts";
import { extraBindings, isMadeByHand, tailConsumersOf } from "../stack/extras.ts";
import { standInModule } from "./stand-in-module.ts";

/** What another Worker must export. */
interface StandIn {
  readonly entrypoints: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
  /** Classes that it waits for, from the Worker that is rehearsed. */
  readonly awaited: ReadonlySet<string>;
}
/** Workers in the place of others, by name. */
export type StandIns = ReadonlyMap<string, StandIn>;
const NOTHING: StandIn = { entrypoints: new Set(), classes: new Set(), awaited: new Set() };

const Leading = v.variant("type", [
  v.object({ type: v.literal("queue"), queueName: v.string() }),
  v.object({ type: v.literal("service"), service: v.string(), entrypoint: v.optional(v.string()) }),
  v.object({ type: v.literal("durable_object_namespace"), scriptName: v.string(), className: v.string() }),
  // The others are made for the stack: a rehearsal gives it its own.
  v.object({
    type: v.literal("r2_bucket"),
    bucketName: v.string(),
    jurisdiction: v.pipe(
      v.picklist(JURISDICTIONS),
      v.check((name) => isMadeByHand(name)),
    ),
  }),
]);
type Leading = v.InferOutput<typeof Leading>;

const LIVE = { type: "durable-object", storage: "sqlite" };

/** Any date that the runtime knows: nothing in a stand-in depends on it. */
const COMPATIBILITY_DATE = "2026-11-01";

/** A release, and the settings of a stack that say where its bindings lead. */
export interface Bound extends Pick<PublicSettings, "bind"> {
  readonly release: Release;
  readonly regions: readonly Pick<Region, "jurisdiction">[];
}

/**
 * Makes what the bindings and tail consumers of `releases` lead to, but for the Workers named in `own`.
 * A class that `moves` hand to another Worker is not there yet. Returns the Workers among it.
 */
export async function makeStandIns(
  account: Account,
  releases: readonly Bound[],
  own: readonly string[],
  moves: readonly Move[],
): Promise<StandIns> {
  const leading = releases.flatMap(({ release, ...own }) =>
    extraBindings(release, { vars: {}, ...own })
      .flatMap((binding) => leads(binding))
      .filter((one) => !isHandedTo(one, moves)),
  );
  const client = new Cloudflare({ baseURL: account.apiUrl, apiToken: account.token, maxRetries: 0 });
  const { accountId: account_id } = account;
  for (const queue_name of queuesOf(leading)) await client.queues.create({ account_id, queue_name });
  for (const bucket of bucketsOf(leading)) await client.r2.buckets.create({ account_id, ...bucket });
  // A tail consumer is no binding, and must be there all the same.
  const told = releases.flatMap(({ release }) => tailConsumersOf(release).map((name) => [name, NOTHING] as const));
  const workers = new Map([...told, ...workersOf(leading)].filter(([name]) => !own.includes(name)));
  for (const [name, standIn] of workers) await upload(account, name, standIn);
  return workers;
}

/**
 * Makes the Workers that `moves` take classes from or hand them to, and has those wait for them from `worker`, which is
 * there. `there`: the stand-ins that are made already.
 */
export async function makePartners(
  account: Account,
  moves: readonly Move[],
  worker: string,
  there: StandIns,
): Promise<void> {
  const partners = new Map(there);
  const changed = new Set<string>();
  for (const move of moves) {
    const name = move.kind === "send" ? move.toWorker : move.kind === "receive" ? move.fromWorker : worker;
    if (name === worker) continue;
    const before = partners.get(name) ?? NOTHING;
    const kind = move.kind === "send" ? "awaited" : "classes";
    partners.set(name, { ...before, [kind]: new Set([...before[kind], move.className]) });
    changed.add(name);
  }
  for (const name of changed) await upload(account, name, partners.get(name) ?? NOTHING, worker);
}

/** Whether a history hands classes over: then nobody can begin with its end, for there is nothing to hand over. */
export const handsOver = (migrations: readonly Migration[]): boolean =>
  migrations.some(({ changes }) => changes.some(({ op }) => op === "send" || op === "receive"));

/** Makes a Worker with the classes at the end of a history, as something else might: a stack can take it over. */
export const makeOwn = (account: Account, name: string, migrations: readonly Migration[]): Promise<void> =>
  upload(account, name, { ...NOTHING, classes: new Set(replay(migrations).keys()) });

/**
 * What of `bind` leads to what is stood in for here. Storage of a stack's own stands in for the rest: in this account
 * there is nothing with the ids of another.
 */
export function boundHere({ release, ...own }: Bound): Readonly<Record<string, string>> {
  const outside = extraBindings(release, { vars: {}, ...own }).filter((one) => leads(one).length > 0);
  const names = new Set(outside.map(({ name }) => name));
  return Object.fromEntries(Object.entries(own.bind).filter(([name]) => names.has(name)));
}

function leads(binding: unknown): readonly Leading[] {
  const parsed = v.safeParse(Leading, binding);
  return parsed.success ? [parsed.output] : [];
}

/** Whether a binding leads to a class that the moves hand to its Worker. */
const isHandedTo = (one: Leading, moves: readonly Move[]): boolean =>
  one.type === "durable_object_namespace" &&
  moves.some((move) => move.kind === "send" && move.toWorker === one.scriptName && move.className === one.className);

const queuesOf = (leading: readonly Leading[]): ReadonlySet<string> =>
  new Set(leading.flatMap((one) => (one.type === "queue" ? one.queueName : [])));

/** Each bucket once, though both releases lead to it. */
function bucketsOf(leading: readonly Leading[]) {
  const buckets = leading.flatMap((one) =>
    one.type === "r2_bucket" ? { name: one.bucketName, "cf-r2-jurisdiction": one.jurisdiction } : [],
  );
  return new Map(buckets.map((bucket) => [JSON.stringify(bucket), bucket])).values();
}

function workersOf(leading: readonly Leading[]): ReadonlyMap<string, StandIn> {
  const names = leading.flatMap((one) => {
    if (one.type === "service") return one.service;
    return one.type === "durable_object_namespace" ? one.scriptName : [];
  });
  return new Map(
    names.map((name) => [
      name,
      {
        entrypoints: new Set(
          leading.flatMap((one) =>
            one.type === "service" && one.service === name && one.entrypoint !== undefined ? one.entrypoint : [],
          ),
        ),
        awaited: new Set(),
        classes: new Set(
          leading.flatMap((one) =>
            one.type === "durable_object_namespace" && one.scriptName === name ? one.className : [],
          ),
        ),
      },
    ]),
  );
}

/** Uploads a Worker that answers 503 to everything. @throws Error where the account refuses it. */
async function upload(
  account: Account,
  name: string,
  { entrypoints, classes, awaited }: StandIn,
  sender?: string,
): Promise<void> {
  const code = standInModule(
    { entrypoints, classes: [...classes, ...awaited] },
    "This Worker stands in for another one in a rehearsal",
  );
  const metadata = {
    main_module: "index.js",
    compatibility_date: COMPATIBILITY_DATE,
    exports: {
      ...Object.fromEntries([...classes].map((one) => [one, LIVE])),
      ...Object.fromEntries(
        [...awaited].map((one) => [one, { ...LIVE, state: "expecting-transfer", transfer_from: sender }]),
      ),
    },
  };
  const form = new FormData();
  form.set("metadata", new Blob([JSON.stringify(metadata)], { type: "application/json" }));
  form.set("index.js", new Blob([code], { type: "application/javascript+module" }), "index.js");
  const answer = await fetch(`${account.apiUrl}/accounts/${account.accountId}/workers/scripts/${name}`, {
    method: "PUT",
    body: form,
    headers: { Authorization: `Bearer ${account.token}` },
  });
  if (!answer.ok) throw new Error(`The stand-in for the Worker ${name} was refused: ${await answer.text()}`);
}
