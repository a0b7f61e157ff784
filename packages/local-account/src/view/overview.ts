/** The content of the page's first view. It has no secrets and no values of bindings. */
import type { Account } from "../account.ts";
import type { ApiCalls } from "../api-calls.ts";
import type { Namespace, State, Worker } from "../model.ts";
import { servingVersions, versionsOf } from "../queries.ts";
import type { Newest, Overview, ShownNamespace, ShownVersion, ShownWorker } from "./shapes.ts";

const SHOWN_VERSIONS = 10;
const SHOWN_ENTRIES = 50;
const SHOWN_CALLS = 50;

export interface ViewOptions {
  readonly account: Account;
  readonly calls: ApiCalls;
  readonly addressOf: (worker: string) => string;
  /** Whether cron triggers fire by themselves. */
  readonly firesCrons: boolean;
}

/** The account at this moment. `apiUrl`: the address of the REST API. */
export async function overview(
  { account, calls, addressOf, firesCrons }: ViewOptions,
  apiUrl: string,
): Promise<Overview> {
  const { state, identity } = account;
  const workers = [...state.workers.values()];
  return {
    account: {
      id: identity.accountId,
      apiUrl,
      workerUrl: addressOf("<worker>"),
      createdOn: identity.createdOn,
      firesCrons,
    },
    workers: workers.map((worker) => shownWorker(state, worker, addressOf)),
    namespaces: await Promise.all(
      [...state.namespaces.values()].map((namespace) => shownNamespace(account, namespace)),
    ),
    kv: [...state.kvNamespaces.values()],
    buckets: [...state.buckets.values()].map(({ id, name, location, jurisdiction }) => ({
      key: id,
      name,
      detail: jurisdiction === "default" ? location : jurisdiction,
    })),
    databases: [...state.databases.values()].map(({ id, name }) => ({ id, name })),
    routes: [...state.routes.values()].map(({ pattern, script }) => ({ pattern, worker: script })),
    domains: [...state.domains.values()].map(({ hostname, service }) => ({ hostname, worker: service })),
    history: newest([...state.history.values()].toReversed(), SHOWN_ENTRIES),
    calls: newest(calls.recent, SHOWN_CALLS),
  };
}

export async function shownNamespace(account: Account, namespace: Namespace): Promise<ShownNamespace> {
  const { id, workerId, className, storage } = namespace;
  return {
    id,
    worker: account.state.workers.get(workerId)?.name ?? "",
    className,
    storage,
    objects: (await account.objects.ids(id)).length,
  };
}

function shownWorker(state: State, worker: Worker, addressOf: (worker: string) => string): ShownWorker {
  const traffic = new Map(servingVersions(state, worker.id).map(({ version, percentage }) => [version.id, percentage]));
  const versions = versionsOf(state, worker.id).map(
    ({ id, number, createdOn, annotations, assets }): ShownVersion => ({
      id,
      number,
      createdOn,
      tag: annotations["workers/tag"] ?? null,
      message: annotations["workers/message"] ?? null,
      files: assets?.files ?? null,
      traffic: traffic.get(id) ?? null,
    }),
  );
  const { items, total } = newest(versions, SHOWN_VERSIONS);
  // A serving version is shown, however old it is.
  const older = versions.slice(SHOWN_VERSIONS).filter(({ traffic }) => traffic !== null);
  return {
    name: worker.name,
    url: worker.subdomain.enabled ? addressOf(worker.name) : null,
    crons: worker.schedules.map(({ cron }) => cron),
    versions: { items: [...items, ...older], total },
  };
}

const newest = <Item>(items: readonly Item[], most: number): Newest<Item> => ({
  items: items.slice(0, most),
  total: items.length,
});
