/** Reconciliation of `exports`: every state, every refusal by its scenario, all refusals of a deployment together. */
import { describe, expect, it } from "vitest";
import { reconcile, type Situation } from "../src/lifecycle.ts";
import type { Namespace } from "../src/model.ts";

const LIVE = { type: "durable-object", storage: "sqlite" };
const KV = { type: "durable-object", storage: "legacy-kv" };
const DELETED = { type: "durable-object", state: "deleted" };
const renamed = (to: string) => ({ type: "durable-object", state: "renamed", renamed_to: to });
const transferred = (to: string) => ({ type: "durable-object", state: "transferred", transferred_to: to });
const expecting = (from: string) => ({
  type: "durable-object",
  state: "expecting-transfer",
  storage: "sqlite",
  transfer_from: from,
});

const namespace = (className: string, fields: Partial<Namespace> = {}): Namespace => ({
  id: `id of ${className}`,
  workerId: "app",
  className,
  storage: "sqlite",
  transferredFrom: null,
  ...fields,
});

/** The Worker `app` among others. `code`: its exports; `have`: its namespaces. */
function situation(
  declared: Situation["declared"],
  given: {
    readonly code?: readonly string[];
    readonly have?: readonly (string | Namespace)[];
    readonly others?: Readonly<Record<string, readonly Namespace[]>>;
    readonly waiting?: readonly { readonly target: string; readonly className: string; readonly from: string }[];
    readonly bound?: Readonly<Record<string, readonly string[]>>;
    readonly plan?: "free" | "paid";
  } = {},
): Situation {
  const { code = [], have = [], others = {}, waiting = [], bound = {} } = given;
  return {
    worker: "app",
    declared,
    code: { classes: new Set(code), durableObjects: new Set(code) },
    namespaces: have.map((own) => (typeof own === "string" ? namespace(own) : own)),
    transfers: waiting.map((transfer) => ({ id: `${transfer.target} waits`, workerId: transfer.target, ...transfer })),
    namespacesOf: (worker) => others[worker],
    boundBy: (className) => bound[className] ?? [],
    plan: given.plan ?? "paid",
  };
}

const scenarios = (of: Situation) => reconcile(of).errors.map((error) => `${error.class}: ${error.scenario}`);
const info = (of: Situation) => reconcile(of).report.info.map((note) => `${note.class}: ${note.scenario}`);

describe("a live entry", () => {
  it("provisions a namespace at the first deployment and confirms it afterwards", () => {
    const first = reconcile(situation({ A: LIVE }, { code: ["A"] }));
    expect(first.report.created).toEqual(["A"]);
    expect(first.changesClasses).toBe(true);
    const second = reconcile(situation({ A: LIVE }, { code: ["A"], have: ["A"] }));
    expect(second.actions).toEqual([]);
    expect(second.changesClasses).toBe(false);
  });

  it("is refused without its class, with a scenario that depends on the namespace", () => {
    expect(scenarios(situation({ A: LIVE }, { have: ["A"] }))).toEqual(["A: config_export_not_in_code"]);
    expect(scenarios(situation({ A: LIVE }))).toEqual(["A: config_references_nonexistent_class"]);
  });

  it("cannot change the storage of a namespace", () => {
    expect(scenarios(situation({ A: KV }, { code: ["A"], have: ["A"] }))).toEqual(["A: storage_type_mismatch"]);
  });

  it("keeps existing key-value storage, and creates none", () => {
    const old = namespace("A", { storage: "legacy-kv" });
    expect(scenarios(situation({ A: KV }, { code: ["A"], have: [old] }))).toEqual([]);
    expect(scenarios(situation({ A: KV }, { code: ["A"] }))).toEqual(["A: invalid_export"]);
    expect(scenarios(situation({ A: KV }, { code: ["A"], plan: "free" }))).toEqual(["A: free_tier_requires_sqlite"]);
  });
});

describe("a class without an entry", () => {
  it("is refused if it is provisioned, naming the Workers that bind to it", () => {
    const of = situation({}, { code: ["A"], have: ["A", "B"], bound: { B: ["other"] } });
    expect(scenarios(of)).toEqual(["A: provisioned_class_missing_from_config", "B: orphaned_provisioned_namespace"]);
    expect(reconcile(of).errors[1]?.referencing_scripts).toEqual(["other"]);
  });

  it("is only mentioned if it is only in the code", () => {
    expect(scenarios(situation({}, { code: ["A"] }))).toEqual([]);
    expect(info(situation({}, { code: ["A"] }))).toEqual(["A: code_class_not_in_exports"]);
  });
});

describe("a deleted tombstone", () => {
  it("destroys the namespace, then is stale and removable", () => {
    const first = reconcile(situation({ A: DELETED }, { have: ["A"] }));
    expect(first.report.deleted).toEqual(["A"]);
    expect(first.actions).toEqual([{ do: "delete", namespaceId: "id of A" }]);
    const second = situation({ A: DELETED });
    expect(reconcile(second).actions).toEqual([]);
    expect(info(second)).toEqual(["A: stale_tombstone"]);
    expect(reconcile(second).report.removable_entries).toEqual(["A"]);
  });

  it("is refused while the class is in the code or another Worker binds to it", () => {
    expect(scenarios(situation({ A: DELETED }, { code: ["A"], have: ["A"] }))).toEqual([
      "A: tombstone_delete_class_still_in_code",
    ]);
    const bound = situation({ A: DELETED }, { have: ["A"], bound: { A: ["other"] } });
    expect(scenarios(bound)).toEqual(["A: tombstone_delete_blocked_by_external_bindings"]);
    expect(reconcile(bound).errors[0]?.referencing_scripts).toEqual(["other"]);
  });
});

describe("a renamed tombstone", () => {
  it("moves the namespace to the new name", () => {
    const { report, actions } = reconcile(situation({ A: renamed("B"), B: LIVE }, { code: ["B"], have: ["A"] }));
    expect(report.renamed).toEqual([{ from: "A", to: "B" }]);
    expect(report.created).toEqual([]);
    expect(actions).toEqual([{ do: "rename", namespaceId: "id of A", to: "B" }]);
  });

  it("notes an old class that is still in the code, as in a change without downtime", () => {
    const of = situation({ A: renamed("B"), B: LIVE }, { code: ["A", "B"], have: ["A"] });
    expect(scenarios(of)).toEqual([]);
    expect(info(of)).toEqual(["A: tombstone_class_still_in_code"]);
  });

  it("is stale once applied, and creates the new class if the old one never existed", () => {
    const applied = situation({ A: renamed("B"), B: LIVE }, { code: ["B"], have: ["B"], bound: { A: ["other"] } });
    expect(info(applied)).toEqual(["A: stale_tombstone"]);
    expect(reconcile(applied).report.info[0]?.referencing_scripts).toEqual(["other"]);
    expect(reconcile(applied).report.removable_entries).toEqual([]);
    expect(reconcile(situation({ A: renamed("B"), B: LIVE }, { code: ["B"] })).report.created).toEqual(["B"]);
  });

  it("is refused when the new name is taken", () => {
    const of = situation({ A: renamed("B"), B: LIVE }, { code: ["B"], have: ["A", "B"] });
    expect(scenarios(of)).toEqual(["A: tombstone_renamed_to_occupied"]);
  });

  it("keeps the storage that the namespace has", () => {
    const old = namespace("A", { storage: "legacy-kv" });
    expect(scenarios(situation({ A: renamed("B"), B: LIVE }, { code: ["B"], have: [old] }))).toEqual([
      "B: storage_type_mismatch",
    ]);
    expect(scenarios(situation({ A: renamed("B"), B: KV }, { code: ["B"], have: [old] }))).toEqual([]);
  });

  it.each([
    ["itself", { A: renamed("A") }],
    ["an invalid class name", { A: renamed("not a name") }],
    ["an undeclared class", { A: renamed("B") }],
    ["another tombstone", { A: renamed("B"), B: DELETED }],
    ["the target of another rename", { A: renamed("C"), B: renamed("C"), C: LIVE }],
  ])("is refused towards %s", (_, declared) => {
    const result = scenarios(situation(declared, { code: ["C"], have: ["A", "B"] }));
    expect(result.some((scenario) => scenario.endsWith(": invalid_export"))).toBe(true);
  });
});

describe("a transfer", () => {
  const source = { source: [namespace("A", { workerId: "source" })] };

  it("is recorded on the target, and stays recorded", () => {
    const first = reconcile(situation({ A: expecting("source") }, { code: ["A"], others: source }));
    expect(first.actions).toEqual([{ do: "expect", className: "A", from: "source" }]);
    expect(first.report.transfer_pending).toEqual([{ class: "A", from: "source" }]);
    expect(first.changesClasses).toBe(false);
    const again = situation(
      { A: expecting("source") },
      { code: ["A"], others: source, waiting: [{ target: "app", className: "A", from: "source" }] },
    );
    expect(reconcile(again).actions).toEqual([]);
    expect(reconcile(again).report.transfer_pending).toEqual([{ class: "A", from: "source" }]);
  });

  it("commits with the source's tombstone", () => {
    const of = situation(
      { A: transferred("target") },
      {
        code: ["A"],
        have: ["A"],
        others: { target: [] },
        waiting: [{ target: "target", className: "A", from: "app" }],
      },
    );
    expect(reconcile(of).report.transferred).toEqual([{ class: "A", to: "target", phase: "committed" }]);
    expect(info(of)).toEqual(["A: tombstone_class_still_in_code"]);
    expect(info(situation({ A: transferred("target") }, { others: { target: [] } }))).toEqual(["A: stale_tombstone"]);
  });

  it("is cancelled when the target drops its entry or makes it a plain live one", () => {
    const waiting = [{ target: "app", className: "A", from: "source" }];
    expect(reconcile(situation({}, { code: ["A"], others: source, waiting })).actions).toEqual([
      { do: "cancel", pendingId: "app waits" },
    ]);
    expect(reconcile(situation({ A: LIVE }, { code: ["A"], others: source, waiting })).actions).toEqual([
      { do: "create", className: "A", storage: "sqlite" },
      { do: "cancel", pendingId: "app waits" },
    ]);
  });

  it.each([
    ["no such source", "phase_one_transfer_source_missing", {}],
    ["a source without the class", "phase_one_transfer_source_namespace_missing", { others: { source: [] } }],
    ["a class of its own", "phase_one_transfer_target_class_provisioned", { others: source, have: ["A"] }],
    [
      "another source before",
      "phase_one_transfer_duplicate",
      { others: source, waiting: [{ target: "app", className: "A", from: "elsewhere" }] },
    ],
    [
      "another target before",
      "phase_one_transfer_duplicate",
      { others: source, waiting: [{ target: "elsewhere", className: "A", from: "source" }] },
    ],
    [
      "a commit from elsewhere",
      "phase_one_transfer_after_commit_mismatch",
      { others: source, have: [namespace("A", { transferredFrom: "elsewhere" })] },
    ],
  ])("is refused on the target with %s", (_, scenario, given) => {
    expect(scenarios(situation({ A: expecting("source") }, { code: ["A"], ...given }))).toEqual([`A: ${scenario}`]);
  });

  it("is reported as complete if it was received already", () => {
    const of = situation(
      { A: expecting("source") },
      { code: ["A"], others: source, have: [namespace("A", { transferredFrom: "source" })] },
    );
    expect(scenarios(of)).toEqual([]);
    expect(info(of)).toEqual(["A: transfer_receive_already_applied"]);
  });

  it.each([
    ["no such target", "transferred_target_missing", { waiting: [] }],
    ["a target that does not wait", "transferred_pending_not_found", { others: { target: [] } }],
    [
      "a target while another one waits",
      "transferred_target_mismatch",
      { others: { target: [], other: [] }, waiting: [{ target: "other", className: "A", from: "app" }] },
    ],
  ])("is refused on the source with %s", (_, scenario, given) => {
    expect(scenarios(situation({ A: transferred("target") }, { have: ["A"], ...given }))).toEqual([`A: ${scenario}`]);
  });
});

describe("the form of an entry", () => {
  it.each([
    ["live without storage", { type: "durable-object" }, "storage"],
    ["an unknown storage", { type: "durable-object", storage: "postgres" }, "storage"],
    ["an unknown state", { type: "durable-object", state: "gone" }, "state"],
    ["an unknown type", { type: "object", storage: "sqlite" }, "type"],
    ["live with renamed_to", { ...LIVE, renamed_to: "B" }, "renamed_to"],
    ["deleted with storage", { ...DELETED, storage: "sqlite" }, "storage"],
    ["renamed without a target", { type: "durable-object", state: "renamed" }, "renamed_to"],
    ["transferred without a target", { type: "durable-object", state: "transferred" }, "transferred_to"],
    [
      "expecting without a source",
      { type: "durable-object", state: "expecting-transfer", storage: "sqlite" },
      "transfer_from",
    ],
    ["a transfer to itself", transferred("app"), "app"],
  ])("is refused as %s, and the message names the field", (_, entry, field) => {
    const [error] = reconcile(situation({ A: entry }, { code: ["A"] })).errors;
    expect(error?.scenario).toBe("invalid_export");
    expect(error?.message).toContain(field);
  });

  it("leaves entries that are not Durable Objects alone", () => {
    expect(reconcile(situation({ Api: { type: "worker", cache: { enabled: true } } })).errors).toEqual([]);
  });
});

it("reports all mistakes of a deployment together", () => {
  const of = situation(
    { A: DELETED, B: LIVE, C: renamed("D"), E: transferred("nobody") },
    { code: ["A"], have: ["A", "E", "F"], bound: { F: ["other"] } },
  );
  expect(scenarios(of)).toEqual([
    "A: tombstone_delete_class_still_in_code",
    "B: config_references_nonexistent_class",
    "C: invalid_export",
    "E: transferred_target_missing",
    "F: orphaned_provisioned_namespace",
  ]);
});
