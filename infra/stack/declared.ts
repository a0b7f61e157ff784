/**
 * What a stack has besides the versions of its Worker, as Cloudflare is asked for it. The program declares resources with
 * these inputs, and `npm run drift` compares them with what is there.
 */
import { digestOf, type Manifest } from "../release/manifest.ts";
import type { PublicSettings } from "./config.ts";
import { workerExtras } from "./extras.ts";
import type { Owner } from "./placed.ts";

/** Whether the Worker is to answer on workers.dev: only while it has no address of its own. */
export const onWorkersDev = ({ hostname, routes }: Pick<PublicSettings, "hostname" | "routes">): boolean =>
  hostname === undefined && routes.length === 0;

/** Names of resources in the program, by which a state knows them. One that changes is another resource: never change it. */
export const LOGICAL = {
  worker: "worker",
  version: (tag: string) => `worker ${tag}`,
  reads: "reads",
  blobs: "blobs",
  domain: "domain",
  route: (pattern: string) => `route ${pattern}`,
  crons: "crons",
  storage: (kind: "kv" | "r2" | "d1", binding: string) => `${kind} ${binding}`,
} as const;

/** The component whose output `keepsStorage` says how the last update left the stack's storage (plan/state/known.ts). */
export const KEEPER = { type: "DurableWorker", name: `durable ${LOGICAL.worker}` } as const;

/** The tag that says whose a Worker is, which it keeps under every name. Cloudflare takes neither `,` nor `&` in one. */
export const stackTag = ({ project, stack }: Owner): string => `${project}:${stack}`;

/** Whether a tag says whose a Worker is, of this stack or another one. */
export const isStackTag = (tag: string): boolean => tag.includes(":");

/** Whose the Workers of an account are, by their tags. */
export const ownersOf = (workers: readonly { readonly tags: readonly string[] }[]): readonly Owner[] =>
  workers.flatMap(({ tags }) => tags.flatMap((tag) => ownerOf(tag) ?? []));

/** Whose a Worker with this tag is; undefined: the tag says nothing of it. A project's name has no colon. */
function ownerOf(tag: string): Owner | undefined {
  const [project, ...stack] = tag.split(":");
  return project !== undefined && stack.length > 0 ? { project, stack: stack.join(":") } : undefined;
}

/**
 * The tag of a Worker that an update has left on workers.dev beside addresses of its own: it tells that from a Worker that
 * somebody put there. It has no colon: it says not whose the Worker is.
 */
const STAYS_ON_WORKERS_DEV = "workers.dev-stays";

/** Whether an update has left a Worker on workers.dev for a while, and it still is. */
export const isLeftOnWorkersDev = ({
  tags,
  subdomain,
}: {
  readonly tags: readonly string[];
  readonly subdomain?: { readonly enabled?: boolean | null | undefined } | null | undefined;
}): boolean => tags.includes(STAYS_ON_WORKERS_DEV) && subdomain?.enabled === true;

/**
 * The Worker: its name, and the settings that no version carries. `staysOnWorkersDev`: whether it is to answer there beside
 * addresses of its own, which have just come (plan/addresses/changes.ts).
 */
export const workerInputs = (
  settings: Pick<PublicSettings, "accountId" | "workerName" | "project" | "stack" | "hostname" | "routes">,
  release: Pick<Manifest, "extras">,
  staysOnWorkersDev = false,
) => ({
  accountId: settings.accountId,
  name: settings.workerName,
  subdomain: { enabled: staysOnWorkersDev || onWorkersDev(settings), previewsEnabled: false },
  ...workerExtras(release),
  tags: [settings.project, stackTag(settings), ...(staysOnWorkersDev ? [STAYS_ON_WORKERS_DEV] : [])],
});

/** How long the names of a KV namespace and a bucket may begin: Cloudflare takes 63 characters for a bucket. */
const LONGEST = 50;

/**
 * What the names of a new stack's KV namespace and bucket begin with: the project and the stack, and not the Worker, so
 * that a Worker can be renamed. A name that Cloudflare would not take, or too long a one, is cut and gets a hash.
 */
export function storageBase({ project, stack }: Owner): string {
  const whole = `${project}-${stack}`;
  const plain = whole.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-");
  if (plain === whole && whole.length <= LONGEST) return whole;
  return `${plain.slice(0, LONGEST - 9).replace(/-+$/, "")}-${digestOf(whole).slice(0, 8)}`;
}

/** The longest name that Cloudflare takes for a bucket. */
const LONGEST_NAME = 63;

/**
 * The name of what a stack has of its own for a binding of wrangler.jsonc. Where lower case and hyphens do not tell the
 * binding from all others, or the name would be too long, it gets a hash.
 */
export function storageName(owner: Owner, binding: string): string {
  const plain = binding
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const whole = `${storageBase(owner)}-${plain}`;
  if (binding === plain.toUpperCase().replaceAll("-", "_") && whole.length <= LONGEST_NAME) return whole;
  const hash = digestOf(binding).slice(0, 8);
  return `${whole.slice(0, LONGEST_NAME - 9).replace(/-+$/, "")}-${hash}`;
}

/** The KV namespace for reads that may be some seconds old. `title`: the one that it has, where it exists. */
export const readCacheInputs = (settings: Pick<PublicSettings, "accountId" | "project" | "stack">, title?: string) => ({
  accountId: settings.accountId,
  title: title ?? `${storageBase(settings)}-reads`,
});

/** The bucket for what is too large for an object: attachments and sealed logs. `name`: as `title` above. */
export const blobsInputs = (settings: Pick<PublicSettings, "accountId" | "project" | "stack">, name?: string) => ({
  accountId: settings.accountId,
  name: name ?? `${storageBase(settings)}-blobs`,
});
