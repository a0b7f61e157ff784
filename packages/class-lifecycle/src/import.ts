/**
 * A first history for a Worker that something else deployed: from its live classes, or from its wrangler file
 * (`migrations` or `exports`). Pure. Lint the result like any other history.
 */
import { type Change, type Migration, namesIn, type Storage, storageOf } from "./history.ts";
import type { LiveClasses } from "./replay.ts";

/** One entry of wrangler's `migrations` (docs: Durable Objects migrations). */
export interface WranglerMigration {
  readonly tag: string;
  readonly new_classes?: readonly string[] | undefined;
  readonly new_sqlite_classes?: readonly string[] | undefined;
  readonly renamed_classes?: readonly { readonly from: string; readonly to: string }[] | undefined;
  readonly deleted_classes?: readonly string[] | undefined;
  readonly transferred_classes?:
    | readonly { readonly from: string; readonly from_script: string; readonly to: string }[]
    | undefined;
}

/** One entry of wrangler's `exports` (docs: Durable Object class exports). */
export interface WranglerExport {
  readonly type: string;
  readonly state?: string | undefined;
  readonly storage?: string | undefined;
  readonly renamed_to?: string | undefined;
  readonly transferred_to?: string | undefined;
  readonly transfer_from?: string | undefined;
}

const create = (className: string, storage: Storage): Change => ({ op: "create", className, storage });

/** One step that creates the classes as they are live. */
export const historyOfClasses = (classes: LiveClasses): readonly Migration[] =>
  steps([
    {
      tag: "import",
      changes: [...classes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { storage }]) => create(name, storage)),
    },
  ]);

/** A step for each of wrangler's, its changes in Cloudflare's order: deleted, renamed, transferred, new. */
export function historyOfMigrations(migrations: readonly WranglerMigration[]): readonly Migration[] {
  return steps(
    migrations.map(({ tag, ...step }) => ({
      tag,
      changes: [
        ...(step.deleted_classes ?? []).map((className): Change => ({ op: "remove", className })),
        ...(step.renamed_classes ?? []).map(({ from, to }): Change => ({ op: "rename", from, to })),
        ...(step.transferred_classes ?? []).flatMap(({ from, from_script, to }): Change[] => [
          // wrangler does not say which storage a transferred class has.
          { op: "receive", className: from, fromWorker: from_script, storage: "sqlite" },
          ...(from === to ? [] : [{ op: "rename" as const, from, to }]),
        ]),
        ...(step.new_classes ?? []).map((name) => create(name, "legacy-kv")),
        ...(step.new_sqlite_classes ?? []).map((name) => create(name, "sqlite")),
      ],
    })),
  );
}

/**
 * Two steps: the classes as they were before the tombstones of `exports`, and the changes of the tombstones. Whether
 * the tombstones have been applied yet or not, the live classes are those of one of the two steps.
 */
export function historyOfExports(exports: Readonly<Record<string, WranglerExport>>): readonly Migration[] {
  const entries = Object.entries(exports).filter(([, { type }]) => type === "durable-object");
  const renames = entries.filter(([, { state }]) => state === "renamed");
  /** The old name of a class. If several names were renamed to it, the last one is unknown: then its present name. */
  const originOf = (name: string) => {
    const origins = renames.filter(([, { renamed_to }]) => renamed_to === name);
    return origins.length === 1 ? origins[0]?.[0] : undefined;
  };
  const before: Change[] = [];
  const after: Change[] = [];
  for (const [name, { state, storage, transferred_to, transfer_from }] of entries) {
    if (state === "expecting-transfer") {
      before.push({ op: "receive", className: name, fromWorker: transfer_from ?? "", storage: storageOf(storage) });
    } else if (state === "deleted") {
      before.push(create(name, "sqlite"));
      after.push({ op: "remove", className: name });
    } else if (state === "transferred") {
      before.push(create(name, "sqlite"));
      after.push({ op: "send", className: name, toWorker: transferred_to ?? "" });
    } else if (state !== "renamed") {
      const origin = originOf(name);
      before.push(create(origin ?? name, storageOf(storage)));
      if (origin !== undefined) after.push({ op: "rename", from: origin, to: name });
    }
  }
  return steps([
    { tag: "import", changes: before },
    { tag: "tombstones", changes: after },
  ]);
}

/** Numbered steps in order. A change that touches a name again gets its own step, as `lint` demands. */
function steps(groups: readonly { readonly tag: string; readonly changes: readonly Change[] }[]): readonly Migration[] {
  const parts = groups.flatMap(({ tag, changes }) => apart(changes).map((part) => ({ tag, part })));
  return parts.map(({ tag, part }, i) => ({
    name: `${String(i + 1).padStart(4, "0")}-${slug(tag)}`,
    changes: part,
  }));
}

function apart(changes: readonly Change[]): readonly (readonly Change[])[] {
  const parts: Change[][] = [];
  let touched = new Set<string>();
  for (const change of changes) {
    const names = namesIn(change);
    const last = parts.at(-1);
    if (last && !names.some((name) => touched.has(name))) last.push(change);
    else {
      parts.push([change]);
      touched = new Set();
    }
    for (const name of names) touched.add(name);
  }
  return parts;
}

/** A tag as the words of a step's name. */
const slug = (tag: string): string =>
  tag
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "") || "import";

/** The steps as calls behind `history()`, each on lines of its own: the text begins with the end of the line before. */
export const stepsSource = (migrations: readonly Migration[]): string =>
  migrations.map((step) => `\n${stepSource(step)}`).join("");

/** The most columns of a line. */
const WIDTH = 120;

/** `.step(…)`, on several lines if it does not fit one. */
function stepSource({ name, changes }: Migration): string {
  const begin = `  .step(${JSON.stringify(name)}, (classes) =>`;
  const calls = changes.map(call);
  const oneLine = `${begin} classes${calls.join("")})`;
  // The last line gets a semicolon.
  if (oneLine.length < WIDTH) return oneLine;
  const chain = `    classes${calls.join("")},`;
  const body = chain.length <= WIDTH ? chain : `    classes\n${calls.map((one) => `      ${one}`).join("\n")},`;
  return `${begin}\n${body}\n  )`;
}

/** A change as the builder's method. */
function call(change: Change): string {
  const { op } = change;
  const args: readonly string[] =
    op === "rename"
      ? [change.from, change.to]
      : [
          change.className,
          ...(op === "send" ? [change.toWorker] : []),
          ...(op === "receive" ? [change.fromWorker] : []),
          ...((op === "create" || op === "receive") && change.storage !== "sqlite" ? [change.storage] : []),
        ];
  return `.${op}(${args.map((text) => JSON.stringify(text)).join(", ")})`;
}
