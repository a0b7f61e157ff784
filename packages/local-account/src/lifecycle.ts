/**
 * Cloudflare's reconciliation for a Worker that declares `exports`, as a pure function: from the code, the declaration
 * and the provisioned namespaces, it decides what a deployment does to the namespaces.
 *
 * It returns all mistakes of a deployment together, each with Cloudflare's name for its scenario. The rules are those
 * of Cloudflare's page "Durable Object class exports". The deployment planner (class-lifecycle) has its own copy of
 * them, on purpose: this one checks the planner.
 */
import type {
  ExportEntry,
  Namespace,
  PendingTransfer,
  ReconciliationNote,
  ReconciliationReport,
  Storage,
} from "./model.ts";

export type { ExportEntry, Namespace } from "./model.ts";

/** What the decision depends on. Other Workers are given by name. */
export interface Situation {
  /** Name of the Worker that is deployed. */
  readonly worker: string;
  readonly declared: Readonly<Record<string, ExportEntry>>;
  /** The classes that the code exports, and those of them that are certain to be Durable Objects. */
  readonly code: { readonly classes: ReadonlySet<string>; readonly durableObjects: ReadonlySet<string> };
  readonly namespaces: readonly Namespace[];
  /** The pending transfers of the whole account. `target` is the name of the waiting Worker. */
  readonly transfers: readonly (PendingTransfer & { readonly target: string })[];
  /** The namespaces of another Worker; undefined if there is no such Worker. */
  readonly namespacesOf: (worker: string) => readonly Namespace[] | undefined;
  /** Other Workers whose deployed version binds to the namespace, or to a class of that name in this Worker. */
  readonly boundBy: (className: string, namespaceId?: string) => readonly string[];
  readonly plan: "free" | "paid";
}

export type Action =
  | { readonly do: "create"; readonly className: string; readonly storage: Storage }
  | { readonly do: "delete"; readonly namespaceId: string }
  | { readonly do: "rename"; readonly namespaceId: string; readonly to: string }
  | { readonly do: "transfer"; readonly namespaceId: string; readonly to: string; readonly pendingId: string }
  | { readonly do: "expect"; readonly className: string; readonly from: string }
  | { readonly do: "cancel"; readonly pendingId: string };

export interface Reconciliation {
  readonly actions: readonly Action[];
  readonly report: ReconciliationReport;
  /** If there are any, nothing may be applied. */
  readonly errors: readonly ReconciliationNote[];
  /** Whether it changes a namespace. Then it needs all the traffic, and earlier versions cannot serve again. */
  readonly changesClasses: boolean;
}

/** Decides what a deployment of `situation.declared` does, or why to refuse it. */
export function reconcile(situation: Situation): Reconciliation {
  const run = new Run(situation);
  for (const [className, entry] of Object.entries(situation.declared)) run.entry(className, entry);
  run.undeclared();
  return run.result();
}

const STATES = {
  created: { required: ["storage"], forbidden: ["renamed_to", "transferred_to", "transfer_from"] },
  deleted: { required: [], forbidden: ["storage", "renamed_to", "transferred_to", "transfer_from"] },
  renamed: { required: ["renamed_to"], forbidden: ["storage", "transferred_to", "transfer_from"] },
  transferred: { required: ["transferred_to"], forbidden: ["storage", "renamed_to", "transfer_from"] },
  "expecting-transfer": { required: ["storage", "transfer_from"], forbidden: ["renamed_to", "transferred_to"] },
} as const;

type StateName = keyof typeof STATES;

const isState = (state: string): state is StateName => Object.hasOwn(STATES, state);
const isStorage = (storage: unknown): storage is Storage => storage === "sqlite" || storage === "legacy-kv";
const isIdentifier = (name: string) => /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name);
const stateOf = (entry: ExportEntry) => entry.state ?? "created";
const isDurableObject = (entry: ExportEntry) => entry.type === "durable-object";

/** Those of the entries that are live classes, which reads of a version show. */
export const liveExports = <Entry extends ExportEntry>(entries: Readonly<Record<string, Entry>>) =>
  Object.fromEntries(Object.entries(entries).filter(([, entry]) => isLive(entry)));

const isLive = (entry: ExportEntry) =>
  !isDurableObject(entry) || stateOf(entry) === "created" || stateOf(entry) === "expecting-transfer";

class Run {
  readonly #s: Situation;
  readonly #own: ReadonlyMap<string, Namespace>;
  readonly #actions: Action[] = [];
  readonly #errors: ReconciliationNote[] = [];
  readonly #info: ReconciliationNote[] = [];
  readonly #created: string[] = [];
  readonly #deleted: string[] = [];
  readonly #renamed: { from: string; to: string }[] = [];
  readonly #transferred: { class: string; to: string; phase: "committed" }[] = [];
  readonly #pending: { class: string; from: string }[] = [];
  readonly #removable: string[] = [];

  constructor(situation: Situation) {
    this.#s = situation;
    this.#own = new Map(situation.namespaces.map((namespace) => [namespace.className, namespace]));
  }

  entry(className: string, entry: ExportEntry) {
    if (entry.type === "worker" || entry.type === "workflow") return;
    const mistake = this.#structure(className, entry);
    if (mistake !== undefined) return this.#refuse(className, "invalid_export", mistake);
    const state = stateOf(entry);
    if (state === "created") this.#live(className, entry);
    else if (state === "deleted") this.#delete(className);
    else if (state === "renamed") this.#rename(className, entry);
    else if (state === "transferred") this.#transfer(className, entry);
    else this.#expect(className, entry);
  }

  /** Checks namespaces and pending transfers without an entry, and classes that only the code has. */
  undeclared(): void {
    const declares = (className: string) => {
      const entry = this.#s.declared[className];
      return entry !== undefined && isDurableObject(entry);
    };
    for (const { className, id } of this.#own.values()) {
      if (declares(className)) continue;
      const bound = this.#s.boundBy(className, id);
      if (this.#s.code.classes.has(className)) {
        this.#refuse(
          className,
          "provisioned_class_missing_from_config",
          `A namespace exists for '${className}' and the code exports it, but no \`exports\` entry declares it.`,
          {
            suggestion: `add \`"${className}": { "type": "durable-object", "storage": "${this.#own.get(className)?.storage}" }\` to keep it, or a tombstone to retire it.`,
            referencing: bound,
          },
        );
      } else {
        this.#refuse(
          className,
          "orphaned_provisioned_namespace",
          `A namespace exists for '${className}' but no \`exports\` entry declares it.`,
          {
            suggestion: `add an \`exports\` entry for '${className}' and its class, or a \`deleted\`, \`renamed\` or \`transferred\` tombstone.`,
            referencing: bound,
          },
        );
      }
    }
    for (const { id, target, className } of this.#s.transfers) {
      const entry = this.#s.declared[className];
      if (target === this.#s.worker && (entry === undefined || stateOf(entry) !== "expecting-transfer"))
        this.#actions.push({ do: "cancel", pendingId: id });
    }
    for (const className of this.#s.code.durableObjects) {
      if (!declares(className) && !this.#own.has(className))
        this.#note(
          className,
          "code_class_not_in_exports",
          `The code exports the Durable Object class '${className}', but \`exports\` does not declare it; it gets no namespace.`,
        );
    }
  }

  result(): Reconciliation {
    const changesClasses =
      this.#created.length + this.#deleted.length + this.#renamed.length + this.#transferred.length > 0;
    return {
      actions: this.#actions,
      errors: this.#errors,
      changesClasses,
      report: {
        created: this.#created,
        updated: [],
        deleted: this.#deleted,
        renamed: this.#renamed,
        transferred: this.#transferred,
        transfer_pending: this.#pending,
        warnings: [],
        info: this.#info,
        removable_entries: this.#removable,
      },
    };
  }

  /** What is wrong with the form of an entry; undefined if it is valid. */
  #structure(className: string, entry: ExportEntry): string | undefined {
    if (!isIdentifier(className)) return `'${className}' is not a valid class name.`;
    if (!isDurableObject(entry))
      return `\`type\` is ${JSON.stringify(entry.type)}; for a Durable Object class it is "durable-object".`;
    const state = stateOf(entry);
    if (!isState(state))
      return `\`state\` is ${JSON.stringify(state)}; it is one of ${Object.keys(STATES).join(", ")}.`;
    const { required, forbidden } = STATES[state];
    const missing = required.find((field) => entry[field] === undefined);
    if (missing !== undefined) return `\`state: "${state}"\` requires \`${missing}\`.`;
    const superfluous = forbidden.find((field) => entry[field] !== undefined);
    if (superfluous !== undefined) return `\`state: "${state}"\` does not allow \`${superfluous}\`.`;
    if (entry.storage !== undefined && !isStorage(entry.storage))
      return `\`storage\` is ${JSON.stringify(entry.storage)}; it is "sqlite", or "legacy-kv" for a namespace that has it already.`;
    if (state === "renamed") return this.#renameStructure(className, String(entry.renamed_to));
    if (entry.transferred_to === this.#s.worker || entry.transfer_from === this.#s.worker)
      return `a class cannot be transferred from '${this.#s.worker}' to itself.`;
    return undefined;
  }

  #renameStructure(className: string, to: string): string | undefined {
    if (!isIdentifier(to)) return `\`renamed_to\` is '${to}', which is not a valid class name.`;
    if (to === className) return "`renamed_to` is the class itself.";
    const target = this.#s.declared[to];
    if (target === undefined || !isDurableObject(target) || stateOf(target) !== "created")
      return `\`renamed_to\` is '${to}', which is not a live entry of the same \`exports\`.`;
    const first = this.#renamesTo(to)[0];
    if (first !== undefined && first !== className && this.#own.has(first) && this.#own.has(className))
      return `\`renamed_to\` is '${to}', to which '${first}' is renamed already.`;
    return undefined;
  }

  /** The classes that the declaration renames to `to`. */
  #renamesTo(to: string): string[] {
    return Object.entries(this.#s.declared)
      .filter(([, entry]) => isDurableObject(entry) && stateOf(entry) === "renamed" && entry.renamed_to === to)
      .map(([className]) => className);
  }

  #live(className: string, entry: ExportEntry) {
    const own = this.#own.get(className);
    const arriving = this.#renamesTo(className)
      .map((from) => this.#own.get(from))
      .find((namespace) => namespace !== undefined);
    if (!this.#inCode(className, own !== undefined)) return;
    const namespace = own ?? arriving;
    if (namespace !== undefined) this.#sameStorage(className, entry, namespace);
    else this.#create(className, entry);
  }

  #create(className: string, entry: ExportEntry) {
    if (entry.storage === "legacy-kv") {
      if (this.#s.plan === "free")
        return this.#refuse(
          className,
          "free_tier_requires_sqlite",
          `The account's plan has only SQLite namespaces, but '${className}' asks for \`legacy-kv\`.`,
          { suggestion: 'use `"storage": "sqlite"`.' },
        );
      return this.#refuse(
        className,
        "invalid_export",
        `'${className}' asks for \`legacy-kv\`, which only a namespace that already has it can keep.`,
        { suggestion: 'use `"storage": "sqlite"`.' },
      );
    }
    this.#actions.push({ do: "create", className, storage: "sqlite" });
    this.#created.push(className);
  }

  #delete(className: string) {
    const own = this.#own.get(className);
    if (own === undefined) return this.#stale(className, "deleted");
    if (this.#s.code.classes.has(className))
      return this.#refuse(
        className,
        "tombstone_delete_class_still_in_code",
        `A \`deleted\` tombstone names '${className}', which the code still exports.`,
        { suggestion: `remove '${className}' from the code, then deploy the tombstone.` },
      );
    const bound = this.#s.boundBy(className, own.id);
    if (bound.length > 0)
      return this.#refuse(
        className,
        "tombstone_delete_blocked_by_external_bindings",
        `Other Workers bind to the namespace of '${className}', which would be deleted.`,
        { suggestion: "deploy them without the binding first.", referencing: bound },
      );
    this.#actions.push({ do: "delete", namespaceId: own.id });
    this.#deleted.push(className);
  }

  #rename(className: string, entry: ExportEntry) {
    const to = String(entry.renamed_to);
    const own = this.#own.get(className);
    if (own === undefined) return this.#stale(className, "renamed");
    if (this.#own.has(to))
      return this.#refuse(
        className,
        "tombstone_renamed_to_occupied",
        `'${className}' cannot be renamed to '${to}': a namespace of that name exists already.`,
        { suggestion: `first delete it with a \`deleted\` tombstone of its own, in an earlier deployment.` },
      );
    this.#actions.push({ do: "rename", namespaceId: own.id, to });
    this.#renamed.push({ from: className, to });
    this.#stillInCode(className, "renamed", own.id);
  }

  #transfer(className: string, entry: ExportEntry) {
    const to = String(entry.transferred_to);
    const own = this.#own.get(className);
    if (own === undefined) return this.#stale(className, "transferred");
    if (this.#s.namespacesOf(to) === undefined)
      return this.#refuse(
        className,
        "transferred_target_missing",
        `'${className}' cannot be transferred to '${to}': there is no Worker of that name.`,
        { suggestion: "set `transferred_to` to a Worker that exists, or remove the tombstone." },
      );
    const waiting = this.#s.transfers.filter(
      (transfer) => transfer.from === this.#s.worker && transfer.className === className,
    );
    const match = waiting.find(({ target }) => target === to);
    if (match !== undefined) {
      this.#actions.push({ do: "transfer", namespaceId: own.id, to, pendingId: match.id });
      this.#transferred.push({ class: className, to, phase: "committed" });
      this.#stillInCode(className, "transferred", own.id);
    } else if (waiting[0] !== undefined) {
      this.#refuse(
        className,
        "transferred_target_mismatch",
        `'${className}' is to be transferred to '${to}', but '${waiting[0].target}' waits for it.`,
        {
          suggestion: `set \`transferred_to\` to '${waiting[0].target}', or deploy that one without its \`expecting-transfer\` entry.`,
        },
      );
    } else {
      this.#refuse(
        className,
        "transferred_pending_not_found",
        `'${className}' is to be transferred to '${to}', which does not wait for it.`,
        {
          suggestion: `deploy '${to}' with \`"${className}": { "state": "expecting-transfer", "transfer_from": "${this.#s.worker}", … }\` first.`,
        },
      );
    }
  }

  #expect(className: string, entry: ExportEntry) {
    const from = String(entry.transfer_from);
    const own = this.#own.get(className);
    if (own !== undefined) return this.#alreadyHere(className, from, own);
    const source = this.#s.namespacesOf(from);
    if (source === undefined)
      return this.#refuse(
        className,
        "phase_one_transfer_source_missing",
        `'${className}' is expected from '${from}', but there is no Worker of that name.`,
        { suggestion: "correct `transfer_from`." },
      );
    const namespace = source.find((candidate) => candidate.className === className);
    if (namespace === undefined)
      return this.#refuse(
        className,
        "phase_one_transfer_source_namespace_missing",
        `'${className}' is expected from '${from}', which has no namespace for it.`,
        { suggestion: `deploy '${from}' with the class before this Worker expects it.` },
      );
    const pending = this.#s.transfers.filter((transfer) => transfer.className === className);
    const mine = pending.find(({ target }) => target === this.#s.worker);
    const other = pending.find((transfer) => transfer.from === from && transfer.target !== this.#s.worker);
    if (other !== undefined || (mine !== undefined && mine.from !== from))
      return this.#refuse(
        className,
        "phase_one_transfer_duplicate",
        other === undefined
          ? `'${className}' is expected from '${mine?.from}' already.`
          : `'${className}' of '${from}' is expected by '${other.target}' already.`,
        { suggestion: "cancel that transfer first, by removing or replacing its entry." },
      );
    if (!this.#inCode(className, false) || !this.#sameStorage(className, entry, namespace)) return;
    if (mine === undefined) this.#actions.push({ do: "expect", className, from });
    this.#pending.push({ class: className, from });
  }

  #alreadyHere(className: string, from: string, own: Namespace) {
    if (own.transferredFrom === from)
      return this.#note(
        className,
        "transfer_receive_already_applied",
        `The transfer of '${className}' from '${from}' is complete. Make its entry a plain live one.`,
        { namespaceId: own.id },
      );
    if (own.transferredFrom !== null)
      return this.#refuse(
        className,
        "phase_one_transfer_after_commit_mismatch",
        `The namespace of '${className}' came from '${own.transferredFrom}', not from '${from}'.`,
        { suggestion: "remove `expecting-transfer`: a transfer cannot be redirected after its commit." },
      );
    this.#refuse(
      className,
      "phase_one_transfer_target_class_provisioned",
      `'${this.#s.worker}' has a namespace for '${className}' already.`,
      { suggestion: "make the entry a plain live one, or delete that namespace first." },
    );
  }

  #inCode(className: string, provisioned: boolean): boolean {
    if (this.#s.code.classes.has(className)) return true;
    if (provisioned)
      this.#refuse(
        className,
        "config_export_not_in_code",
        `\`exports\` declares '${className}', which the code does not export.`,
        { suggestion: "add the class to the code, or make its entry a tombstone." },
      );
    else
      this.#refuse(
        className,
        "config_references_nonexistent_class",
        `\`exports\` declares '${className}', which is neither in the code nor provisioned.`,
        { suggestion: "remove the entry, or add the class to the code." },
      );
    return false;
  }

  #sameStorage(className: string, entry: ExportEntry, namespace: Namespace): boolean {
    if (entry.storage === namespace.storage) return true;
    this.#refuse(
      className,
      "storage_type_mismatch",
      `'${className}' declares \`${entry.storage}\`, but its namespace is \`${namespace.storage}\`; that cannot change in place.`,
      {
        suggestion: `declare \`"storage": "${namespace.storage}"\`, or delete the namespace, with its data, and create another.`,
      },
    );
    return false;
  }

  #stillInCode(className: string, state: string, namespaceId: string): void {
    if (this.#s.code.classes.has(className))
      this.#note(
        className,
        "tombstone_class_still_in_code",
        `Tombstone of type '${state}' applied. Class '${className}' is still exported in code, as it should be while a change without downtime is rolled out.`,
        { namespaceId: namespaceId },
      );
  }

  #stale(className: string, state: string): void {
    const bound = state === "deleted" ? [] : this.#s.boundBy(className);
    this.#note(
      className,
      "stale_tombstone",
      `Tombstone of type '${state}' for class '${className}' has no effect (no namespace exists with this class name). ${
        bound.length === 0 ? "It can be removed from `exports`." : "Point the bindings to it elsewhere before it goes."
      }`,
      { referencing: bound },
    );
    if (bound.length === 0) this.#removable.push(className);
  }

  #refuse(
    className: string,
    scenario: string,
    message: string,
    { suggestion, referencing = [] }: { suggestion?: string; referencing?: readonly string[] } = {},
  ): void {
    this.#errors.push({
      class: className,
      scenario,
      message,
      ...(suggestion !== undefined && { suggestion }),
      ...(referencing.length !== 0 && { referencing_scripts: referencing }),
    });
  }

  #note(
    className: string,
    scenario: string,
    message: string,
    { namespaceId, referencing = [] }: { namespaceId?: string | undefined; referencing?: readonly string[] } = {},
  ): void {
    this.#info.push({
      class: className,
      scenario,
      message,
      ...(namespaceId !== undefined && { namespace_id: namespaceId }),
      ...(referencing.length !== 0 && { referencing_scripts: referencing }),
    });
  }
}
