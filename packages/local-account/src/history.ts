/**
 * What a change of the account created, changed and removed, from the states before and after it. Pure. Every visible
 * change makes one entry (account.ts). Removed things stay in the history.
 */
import type { HistoryEntry, HistoryItem, Namespace, Records, State, Version } from "./model.ts";
import { currentDeployment, servingVersions } from "./queries.ts";

/** How many changes are remembered. */
const KEPT_ENTRIES = 500;

/** The differences between two states: Workers first, traffic last. */
export function itemsBetween(before: State, after: State): HistoryItem[] {
  return [
    ...madeAndRemoved(before, after, "workers", ({ name }) => ({ what: "Worker", name, worker: name })),
    ...renamedWorkers(before, after),
    ...classes(before, after),
    ...madeAndRemoved(before, after, "kvNamespaces", ({ title }) => ({ what: "KV namespace", name: title })),
    ...madeAndRemoved(before, after, "buckets", ({ name }) => ({ what: "R2 bucket", name })),
    ...madeAndRemoved(before, after, "databases", ({ name }) => ({ what: "D1 database", name })),
    ...madeAndRemoved(before, after, "hyperdrives", ({ name }) => ({ what: "Hyperdrive configuration", name })),
    ...madeAndRemoved(before, after, "queues", ({ name }) => ({ what: "queue", name })),
    ...madeAndRemoved(before, after, "workflows", ({ name }) => ({ what: "workflow", name })),
    ...madeAndRemoved(before, after, "versions", (version, state) => versionItem(version, state)),
    ...madeAndRemoved(before, after, "routes", ({ pattern, script }) => ({
      what: "route",
      name: pattern,
      ...(script !== null && { worker: script }),
    })),
    ...madeAndRemoved(before, after, "domains", ({ hostname, service }) => ({
      what: "custom domain",
      name: hostname,
      worker: service,
    })),
    ...traffic(before, after),
  ];
}

type Told = Omit<HistoryItem, "sign">;

function madeAndRemoved<N extends keyof Records>(
  before: State,
  after: State,
  collection: N,
  tell: (record: Records[N], state: State) => Told,
): HistoryItem[] {
  const [old, now]: readonly ReadonlyMap<string, Records[N]>[] = [before[collection], after[collection]];
  if (old === undefined || now === undefined || old === now) return [];
  return [
    ...[...now].flatMap(([id, record]) => (old.has(id) ? [] : [{ sign: "+" as const, ...tell(record, after) }])),
    ...[...old].flatMap(([id, record]) => (now.has(id) ? [] : [{ sign: "-" as const, ...tell(record, before) }])),
  ];
}

function renamedWorkers(before: State, after: State): HistoryItem[] {
  return [...after.workers.values()].flatMap(({ id, name }) => {
    const old = before.workers.get(id)?.name;
    return old === undefined || old === name
      ? []
      : [{ sign: "~" as const, what: "Worker", name: old, worker: name, detail: `is now ${name}` }];
  });
}

function classes(before: State, after: State): HistoryItem[] {
  const workerOf = (state: State, { workerId }: Namespace) => state.workers.get(workerId)?.name ?? "";
  const moved = [...after.namespaces.values()].flatMap((now): HistoryItem[] => {
    const old = before.namespaces.get(now.id);
    if (old === undefined) return [];
    const item = { sign: "~" as const, what: "class", name: old.className, worker: workerOf(after, now) };
    if (old.workerId !== now.workerId)
      return [
        { ...item, detail: `came from ${workerOf(before, old)}${asClass(old, now)}`, worker: workerOf(after, now) },
      ];
    return old.className === now.className ? [] : [{ ...item, detail: `is now ${now.className}` }];
  });
  const expected = [...after.transfers.values()]
    .filter(({ id }) => !before.transfers.has(id))
    .map(({ className, from, workerId }) => ({
      sign: "~" as const,
      what: "class",
      name: className,
      worker: after.workers.get(workerId)?.name ?? "",
      detail: `is expected from ${from}`,
    }));
  return [
    ...madeAndRemoved(before, after, "namespaces", (namespace, state) => ({
      what: "class",
      name: namespace.className,
      worker: workerOf(state, namespace),
    })),
    ...moved,
    ...expected,
  ];
}

const asClass = (old: Namespace, now: Namespace): string =>
  old.className === now.className ? "" : ` as ${now.className}`;

function versionItem({ number, workerId, annotations }: Version, state: State): Told {
  const message = annotations["workers/message"];
  return {
    what: "version",
    name: String(number),
    worker: state.workers.get(workerId)?.name ?? "",
    ...(message !== undefined && { detail: message }),
  };
}

/** The new traffic of every Worker whose traffic has changed. */
function traffic(before: State, after: State): HistoryItem[] {
  return [...after.workers.values()].flatMap(({ id, name }): HistoryItem[] => {
    const now = sharesOf(after, id);
    if (now === sharesOf(before, id) || currentDeployment(after, id) === undefined) return [];
    return [{ sign: "~", what: "traffic", name: now, worker: name }];
  });
}

const sharesOf = (state: State, workerId: string): string =>
  servingVersions(state, workerId)
    .map(({ version, percentage }) => `${percentage} % to version ${version.number}`)
    .join(", ");

/** The id of a new entry, and the ids of the oldest entries to drop for it. */
export function nextEntry(history: ReadonlyMap<string, HistoryEntry>): {
  readonly id: string;
  readonly dropped: readonly string[];
} {
  const ids = [...history.keys()];
  const last = Number(ids.at(-1) ?? 0);
  return { id: String(last + 1), dropped: ids.slice(0, Math.max(0, ids.length + 1 - KEPT_ENTRIES)) };
}
