/**
 * What the bindings of a release lead to outside of it, in the throw-away account of a rehearsal: its queues, and Workers
 * in the place of others. Cloudflare refuses a version whose bindings lead nowhere.
 */
import Cloudflare from "cloudflare";
import * as v from "valibot";
import type { Release } from "../release/read.ts";
import type { Account } from "../stack/account.ts";
import { extraBindings } from "../stack/extras.ts";

/** What other Workers must export. */
interface StandIn {
  readonly entrypoints: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
}

const Leading = v.variant("type", [
  v.object({ type: v.literal("queue"), queueName: v.string() }),
  v.object({ type: v.literal("service"), service: v.string(), entrypoint: v.optional(v.string()) }),
  v.object({ type: v.literal("durable_object_namespace"), scriptName: v.string(), className: v.string() }),
]);
type Leading = v.InferOutput<typeof Leading>;

/** Any date that the runtime knows: nothing in a stand-in depends on it. */
const COMPATIBILITY_DATE = "2026-11-01";

/**
 * Makes what the bindings of `releases` lead to, but for the Workers named in `own`. `bind`: the stack's, of each.
 * Returns whether there are Workers among it.
 */
export async function makeStandIns(
  account: Account,
  releases: readonly { readonly release: Release; readonly bind: Readonly<Record<string, string>> }[],
  own: readonly string[],
): Promise<boolean> {
  const leading = releases.flatMap(({ release, bind }) =>
    extraBindings(release, { vars: {}, bind, regions: [] }).flatMap((binding) => leads(binding)),
  );
  const client = new Cloudflare({ baseURL: account.apiUrl, apiToken: account.token, maxRetries: 0 });
  for (const queue_name of queuesOf(leading)) await client.queues.create({ account_id: account.accountId, queue_name });
  const workers = [...workersOf(leading)].filter(([name]) => !own.includes(name));
  for (const [name, standIn] of workers) await upload(account, name, standIn);
  return workers.length > 0;
}

function leads(binding: unknown): readonly Leading[] {
  const parsed = v.safeParse(Leading, binding);
  return parsed.success ? [parsed.output] : [];
}

const queuesOf = (leading: readonly Leading[]): ReadonlySet<string> =>
  new Set(leading.flatMap((one) => (one.type === "queue" ? one.queueName : [])));

function workersOf(leading: readonly Leading[]): ReadonlyMap<string, StandIn> {
  const names = leading.flatMap((one) => {
    if (one.type === "queue") return [];
    return one.type === "service" ? one.service : one.scriptName;
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
async function upload(account: Account, name: string, { entrypoints, classes }: StandIn): Promise<void> {
  const exported = (kind: string) => (className: string) =>
    `export class ${className} extends ${kind} { fetch() { return answer(); } }`;
  const code = [
    'import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";',
    'const answer = () => new Response("This Worker stands in for another one in a rehearsal", { status: 503 });',
    "export default { fetch: answer };",
    ...[...entrypoints].filter((entrypoint) => entrypoint !== "default").map(exported("WorkerEntrypoint")),
    ...[...classes].map(exported("DurableObject")),
  ].join("\n");
  const metadata = {
    main_module: "index.js",
    compatibility_date: COMPATIBILITY_DATE,
    exports: Object.fromEntries([...classes].map((one) => [one, { type: "durable-object", storage: "sqlite" }])),
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
