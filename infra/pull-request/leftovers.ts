/**
 * What an account has of a pull request's stack by its names, whatever the state says: an update that was killed leaves
 * what no state has. Only stacks of pull requests are looked for in this way, because all of theirs may go.
 */
import { JURISDICTIONS, jurisdictionsOf } from "../../contract/regions.ts";
import { UserError } from "../common/user-error.ts";
import { ApiError, at } from "../provider/api.ts";
import { type Bucket, emptyBucket, inJurisdiction } from "../provider/buckets.ts";
import { type Properties, text } from "../provider/values.ts";
import { ROOT } from "../release/root.ts";
import { ownersOf, stackTag, storageBase } from "../stack/declared.ts";
import { isMadeByHand } from "../stack/extras.ts";
import type { OpenStack } from "../stack/open.ts";
import { stackNames } from "../stack/project.ts";
import { pullOf } from "../stack/pull-stack.ts";

/** Something of the stack. */
interface Leftover {
  readonly what: string;
  readonly remove: () => Promise<void>;
}

/** Deletes what is in the stack's buckets: Cloudflare deletes no bucket with something in it. Returns how many objects. */
export async function emptyBuckets(stack: OpenStack): Promise<number> {
  let count = 0;
  for (const bucket of await bucketsOf(stack, await ownNames(stack))) count += await emptyBucket(stack.api, bucket);
  return count;
}

/** Deletes what the account still has of the stack, and says what that was. */
export async function removeLeftovers(stack: OpenStack): Promise<readonly string[]> {
  const found = [...(await workers(stack)), ...(await storage(stack))];
  for (const { remove } of found) await remove();
  return found.map(({ what }) => what);
}

/** @throws UserError for any other stack: its data is somebody's. */
function base({ name, settings }: OpenStack): string {
  if (pullOf(name) === undefined)
    throw new UserError(`${name} is not the stack of a pull request: nothing was deleted.`);
  return storageBase(settings);
}

async function workers(stack: OpenStack): Promise<readonly Leftover[]> {
  base(stack);
  const { api, settings, reads } = stack;
  const ours = (await reads.workers()).filter(({ tags }) => tags.includes(stackTag(settings)));
  return ours.map(({ id, name }) => ({
    what: `Worker ${name}`,
    remove: () => api.remove(at`/accounts/${settings.accountId}/workers/workers/${id}`, { query: { force: true } }),
  }));
}

async function storage(stack: OpenStack): Promise<readonly Leftover[]> {
  const { api, settings } = stack;
  const account = at`/accounts/${settings.accountId}`;
  const isOwn = await ownNames(stack);
  const [namespaces, databases, buckets] = await Promise.all([
    listed(api.list(`${account}/storage/kv/namespaces`, { per_page: 100 })),
    listed(api.list(`${account}/d1/database`, { per_page: 100 })),
    bucketsOf(stack, isOwn),
  ]);
  const named = (all: readonly Properties[], key: string) => all.filter((one) => isOwn(text(one, key)));
  return [
    ...named(namespaces, "title").map((one) => ({
      what: `KV namespace ${text(one, "title")}`,
      remove: () => api.remove(`${account}/storage/kv/namespaces${at`/${text(one, "id")}`}`),
    })),
    ...named(databases, "name").map((one) => ({
      what: `D1 database ${text(one, "name")}`,
      remove: () => api.remove(`${account}/d1/database${at`/${text(one, "uuid")}`}`),
    })),
    ...buckets.map((bucket) => ({
      what: `bucket ${bucket.name}`,
      remove: async () => {
        await emptyBucket(api, bucket);
        await api.remove(`${account}/r2/buckets${at`/${bucket.name}`}`, inJurisdiction(bucket.jurisdiction));
      },
    })),
  ];
}

/**
 * Tells the names of the stack's storage. They begin with its own, and so do those of a stack whose name begins like this
 * one's (`pr-5-hotfix`): a stack has its Worker as long as its storage, and the Worker's tag says whose both are.
 */
async function ownNames(stack: OpenStack): Promise<(name: string) => boolean> {
  const prefix = `${base(stack)}-`;
  const { project } = stack.settings;
  const others = [
    ...ownersOf(await stack.reads.workers()),
    ...stackNames(ROOT).map((name) => ({ project, stack: name })),
  ]
    .map((owner) => `${storageBase(owner)}-`)
    .filter((other) => other.startsWith(prefix) && other !== prefix);
  return (name) => name.startsWith(prefix) && !others.some((other) => name.startsWith(other));
}

/** The stack's buckets; `isOwn` tells their names. A pull request's own regions may be in any jurisdiction. */
async function bucketsOf(stack: OpenStack, isOwn: (name: string) => boolean): Promise<readonly Bucket[]> {
  const known: readonly unknown[] = jurisdictionsOf(stack.settings.regions);
  const found = await Promise.all(
    [undefined, ...JURISDICTIONS.filter((one) => !isMadeByHand(one))].map((jurisdiction) => {
      const all = bucketsIn(stack, jurisdiction);
      // An account that may not use a jurisdiction has nothing there.
      return jurisdiction === undefined || known.includes(jurisdiction) ? all : unlessRefused(all);
    }),
  );
  return found.flat().filter(({ name }) => isOwn(name));
}

/** Buckets of a jurisdiction, whose names may be the stack's. */
async function bucketsIn(stack: OpenStack, jurisdiction: Bucket["jurisdiction"]): Promise<readonly Bucket[]> {
  const { accountId } = stack.settings;
  const found: Bucket[] = [];
  let next: string | undefined;
  do {
    const query = { name_contains: `${base(stack)}-`, per_page: 1_000, ...(next !== undefined && { cursor: next }) };
    const path = at`/accounts/${accountId}/r2/buckets`;
    const { results, cursor } = await stack.api.page(path, query, inJurisdiction(jurisdiction), "buckets");
    found.push(...results.map((bucket) => ({ accountId, name: text(bucket, "name"), jurisdiction })));
    next = cursor;
  } while (next !== undefined);
  return found;
}

async function unlessRefused(all: Promise<readonly Bucket[]>): Promise<readonly Bucket[]> {
  try {
    return await all;
  } catch (error) {
    if (error instanceof ApiError && error.isRefusal) return [];
    throw error;
  }
}

/** What the token may not list, because the stack has none of that kind, is not there. */
async function listed(all: Promise<readonly Properties[]>): Promise<readonly Properties[]> {
  try {
    return await all;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 501)) return [];
    throw error;
  }
}
