/** What it takes to keep a resource type at Cloudflare: how one is made, read, changed, replaced and taken away. */
import type { Api } from "./api.ts";
import { covers, type Properties, pick, UNKNOWN } from "./values.ts";

export interface Context {
  readonly api: Api;
  /** The program's main folder: files of the inputs are relative to it. */
  readonly folder: string;
}

/** A resource type. Inputs and state have Pulumi's names; both are what the real provider takes and returns. */
export interface Kind {
  /** Pulumi's type token. */
  readonly type: string;
  readonly required: readonly string[];
  /** Properties that cannot change in place; `all` where nothing can. */
  readonly replacedBy: "all" | readonly string[];
  /** The inputs with every default spelled out. */
  readonly defaults?: (inputs: Properties) => Properties;
  /** The inputs as the state will have them: with hashes of the files that they name. */
  readonly resolve?: (inputs: Properties, folder: string) => Properties;
  /** For a property whose values may look different and mean the same. */
  readonly same?: Readonly<Record<string, (actual: unknown, wanted: unknown) => boolean>>;
  create(context: Context, inputs: Properties): Promise<Made>;
  /** The state now, or undefined when it is gone. `prior`: the state or the inputs known so far. */
  read(context: Context, id: string, prior: Properties): Promise<Properties | undefined>;
  update?(context: Context, id: string, inputs: Properties): Promise<Properties>;
  /** Left out where the provider leaves the thing where it is. */
  remove?(context: Context, id: string, state: Properties): Promise<void>;
  /** For types that a program may take over by Pulumi's `import` option. */
  readonly imports?: {
    /** What the provider's import id names: the resource's own id, and what `read` must know besides. */
    parse(importId: string): { readonly id: string; readonly prior: Properties };
    /** Properties of the state that are inputs. */
    readonly inputs: readonly string[];
  };
  /** The id of what already has the name that these inputs claim, for types whose names are unique. */
  find?(context: Context, inputs: Properties): Promise<string | undefined>;
}

/** The segments of an import id. @throws Error where they are not as many as `names`, which the message says. */
export function segments(importId: string, ...names: readonly string[]): readonly string[] {
  const parts = importId.split("/").map(decodeURIComponent);
  if (parts.length === names.length && !parts.includes("")) return parts;
  throw new Error(`${importId} is not ${names.map((name) => `<${name}>`).join("/")}`);
}

export interface Made {
  readonly id: string;
  readonly state: Properties;
}

/** An input that is not as it has to be. */
export interface InputProblem {
  readonly property: string;
  readonly reason: string;
}

/** The inputs with defaults, and all that is missing. */
export function check(kind: Kind, given: Properties): { inputs: Properties; problems: readonly InputProblem[] } {
  const inputs = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
  const problems = kind.required
    .filter((property) => inputs[property] === undefined)
    .map((property) => ({ property, reason: `${property} is missing: ${kind.type} cannot be without it` }));
  return { inputs: kind.defaults?.(inputs) ?? inputs, problems };
}

export interface Difference {
  /** Properties whose wanted value is not the actual one. */
  readonly changed: readonly string[];
  /** Those of them that cannot change in place. */
  readonly replacing: readonly string[];
}

/** What sets `inputs` apart from a resource made from `old.inputs` whose state is `old.state`. */
export function difference(
  kind: Kind,
  old: { readonly inputs: Properties; readonly state: Properties },
  inputs: Properties,
  { folder, ignore = [] }: { readonly folder: string; readonly ignore?: readonly string[] },
): Difference {
  const wanted = kind.resolve?.(inputs, folder) ?? inputs;
  const ignored = new Set(ignore);
  const differs = (property: string) =>
    wanted[property] === UNKNOWN || !(kind.same?.[property] ?? covers)(old.state[property], wanted[property]);
  const properties = new Set([...Object.keys(old.inputs), ...Object.keys(wanted)]);
  const changed = [...properties].filter((property) => !ignored.has(property) && differs(property));
  const replacing = changed.filter((property) => kind.replacedBy === "all" || kind.replacedBy.includes(property));
  return { changed, replacing };
}

/** What an import id names, with its inputs. @throws Error where the type cannot be imported, or there is no such thing. */
export async function imported(
  kind: Kind,
  context: Context,
  importId: string,
): Promise<{ id: string; state: Properties; inputs: Properties }> {
  if (!kind.imports) throw new Error(`${kind.type} cannot be imported by the local adapter`);
  const { id, prior } = kind.imports.parse(importId);
  const state = await kind.read(context, id, prior);
  if (!state) throw new Error(`${importId} does not exist, so it cannot be imported`);
  return { id, state, inputs: pick(state, ...kind.imports.inputs) };
}
