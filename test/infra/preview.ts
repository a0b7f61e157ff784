/** A preview for tests of what is made of one: a release that changes classes, half-way through a rollout. */
import type { Plan } from "@durable-stack/class-lifecycle";
import { Reads } from "../../infra/plan/account/reads.ts";
import type { Preview } from "../../infra/plan/preview/preview.ts";
import { parsePublicSettings } from "../../infra/stack/config.ts";

const settings = parsePublicSettings(
  { project: "durable-stack", stack: "test" },
  {
    accountId: "0".repeat(32),
    environmentPrefix: "tst-",
    homeRegion: "eu",
    regions: JSON.stringify([{ id: "eu", prefix: "eu", locationHint: "weur" }]),
  },
);
const plan: Plan = {
  state: "behind",
  adopts: false,
  from: "0001-create",
  to: "0003-change",
  moves: [
    { kind: "create", className: "New", storage: "sqlite" },
    { kind: "rename", from: "Room", className: "Hall", storage: "sqlite" },
    { kind: "delete", className: "Gone" },
    { kind: "delete", className: "Empty" },
    { kind: "send", className: "Moved", toWorker: "other" },
    { kind: "cancel", className: "Late", fromWorker: "slow" },
    { kind: "keep", className: "Kept", storage: "sqlite" },
  ],
  changesLifecycle: true,
  exports: {},
  errors: [],
  warnings: [],
};
/** The tags of the release and of the stable version. */
export const NEW = `${"b".repeat(12)}-new`;
export const OLD = `${"a".repeat(12)}-old`;
/** A live version of ours, of a release whose digest is this letter, 64 times. `settings`: the end of its tag. */
export const version = (number: number, settings: string, letter: string) => ({
  versionId: `v-${number}`,
  number,
  tag: `${letter.repeat(12)}-${settings}`,
  digest: letter.repeat(64),
  source: "api",
  step: "0001-create",
  commit: undefined,
  committed: undefined,
  schemas: undefined,
  secrets: undefined,
  createdOn: undefined,
  bindings: [],
});
const versions = [version(5, "new", "b"), version(4, "old", "a")];
const live: Preview["live"] = {
  id: "w",
  digest: "a".repeat(64),
  deployed: "b".repeat(64),
  servedSince: undefined,
  classes: new Map(),
  complete: true,
  step: undefined,
  serving: [
    { versionId: "v-4", percentage: 90, number: 4, tag: OLD, digest: "a".repeat(64) },
    { versionId: "v-5", percentage: 10, number: 5, tag: NEW, digest: "b".repeat(64) },
  ],
  servedLast: [],
  regions: [],
  versions,
  deployment: undefined,
  schemas: {},
  changedByOthers: undefined,
  rollbackFloor: 3,
  pinned: undefined,
  pinIsWayBack: false,
  refused: [],
  references: [],
};
const claims: Preview["claims"] = {
  worker: undefined,
  reads: { name: "reads" },
  blobs: { name: "blobs" },
  storage: [],
  domain: undefined,
  routes: new Map(),
  found: [],
  findings: [],
};
export const preview = (more: Partial<Preview> = {}): Preview => ({
  hadCrons: false,
  settings,
  release: {
    format: 4,
    dir: "",
    digest: "b".repeat(64),
    modules: [],
    classes: [],
    bindings: [],
    compatibilityDate: "2026-11-01",
    compatibilityFlags: [],
    migration: { step: "0003-change", history: "" },
    commit: null,
    committed: null,
  },
  live,
  ownWorker: { worker: undefined, name: settings.workerName, inState: true, renamedFrom: undefined, findings: [] },
  claims,
  plan,
  ended: [],
  tag: NEW,
  traffic: { release: 100, findings: [] },
  schema: { raisesFloor: false, findings: [] },
  secrets: undefined,
  renewedBecause: undefined,
  deploymentMessage: "durable-stack",
  share: 100,
  servedSince: undefined,
  source: { commit: undefined, committed: undefined },
  served: "b".repeat(64),
  uploads: true,
  regions: [],
  addresses: { changes: [], staysOnWorkersDev: false, changesHostname: false, isWithoutState: false },
  bindings: [],
  unknownBindings: false,
  deleted: [],
  objects: new Map([
    ["Room", { count: 1_000, more: true }],
    ["Gone", { count: 12, more: false }],
    ["Empty", { count: 0, more: false }],
  ]),
  errors: [],
  passedOver: [],
  warnings: [],
  ...more,
});

/** Reads of an account with a Worker `w` that has these versions, the newest first; one of them has all traffic. */
export const readsOf = (versions: readonly { readonly id: string }[], serving: { readonly id: string } | undefined) =>
  new Reads(
    "a",
    {
      getWorkers: async () => ({
        results: [{ id: "w", name: "w", deployedOn: "2026-11-26", references: { durableObjects: [] } }],
      }),
      getWorkersDeployments: async () => ({
        results: [{ deployments: [{ id: "d", versions: [{ versionId: serving?.id, percentage: 100 }] }] }],
      }),
      getWorkerVersion: async () => serving,
      getWorkerVersions: async () => ({ results: versions }),
    },
    undefined,
  );
