/** What it takes to keep a resource type at Cloudflare: how one is made, read, changed, replaced and taken away. */
import type { Api } from "./api.ts";
import { factsOn } from "./facts/index.ts";
import { type InputProblem, problemsIn } from "./facts/rules.ts";
import type { Attribute, Attributes } from "./facts/types.ts";
import { covers, isObject, type Properties, UNKNOWN } from "./values.ts";

export interface Context {
  readonly api: Api;
  /** The program's main folder: files of the inputs are relative to it. */
  readonly folder: string;
}

/**
 * A resource type. Inputs and state have Pulumi's names; both are what the real provider takes and returns. What it takes,
 * what is filled in, what replaces it and what its import id is say the facts.
 */
export interface Kind {
  /** Pulumi's type token. */
  readonly type: string;
  /** Defaults that the facts have no value for, because they follow from other inputs. */
  readonly defaults?: (inputs: Properties) => Properties;
  /** The inputs as the state will have them: with hashes of the files that they name. */
  readonly resolve?: (inputs: Properties, folder: string) => Properties;
  /** For a property whose values may look different and mean the same. */
  readonly same?: Readonly<Record<string, (actual: unknown, wanted: unknown) => boolean>>;
  create(context: Context, inputs: Properties): Promise<Made>;
  /** The state now, or undefined when it is gone. `prior`: the state or the inputs known so far. */
  read(context: Context, id: string, prior: Properties): Promise<Properties | undefined>;
  /** `state`: the one before. Left out where nothing can change in place. */
  update?(context: Context, id: string, inputs: Properties, state: Properties): Promise<Properties>;
  /** Left out where the provider leaves the thing where it is. */
  remove?(context: Context, id: string, state: Properties): Promise<void>;
  /** The id of what already has the name that these inputs claim, for types whose names are unique. */
  find?(context: Context, inputs: Properties): Promise<string | undefined>;
}

export interface Made {
  readonly id: string;
  readonly state: Properties;
}

/**
 * The inputs with their defaults, and all that is wrong with them. `plain`: the same without marks around secrets, which
 * is what the rules look at.
 */
export function check(
  kind: Kind,
  given: Properties,
  plain: Properties = given,
): { inputs: Properties; problems: readonly InputProblem[] } {
  const { attributes } = factsOn(kind.type);
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
  const inputs = filled(kind.defaults?.(set) ?? set, attributes, (attribute) => attribute.default);
  return { inputs, problems: problemsIn(plain, attributes) };
}

/** The inputs with what `missing` says of each attribute that is not set, and so within the objects that are. */
export function filled(
  inputs: Properties,
  attributes: Attributes,
  missing: (attribute: Attribute) => unknown,
  path = "",
): Properties {
  const all = { ...inputs };
  for (const [full, attribute] of Object.entries(attributes)) {
    const name = full.slice(path.length);
    if (!full.startsWith(path) || /[.[]/.test(name)) continue;
    const value = all[name];
    const filler = value === undefined ? missing(attribute) : undefined;
    if (filler !== undefined) all[name] = filler;
    else if (attribute.type === "object" && isObject(value)) all[name] = filled(value, attributes, missing, `${full}.`);
  }
  return all;
}

interface Difference {
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
  const replacing = changed.filter((property) => replaces(kind, property, old.state[property], wanted[property]));
  return { changed, replacing };
}

/** Whether a change of a property from `actual` to `wanted` is one that the resource is replaced for. */
export const replaces = (kind: Kind, property: string, actual: unknown, wanted: unknown): boolean =>
  replacesAt(property, actual, wanted, factsOn(kind.type).attributes);

function replacesAt(path: string, actual: unknown, wanted: unknown, attributes: Attributes): boolean {
  const attribute = attributes[path];
  if (attribute?.replaces) return !attribute.ifConfigured || wanted !== undefined;
  if (isObject(actual) && isObject(wanted)) {
    return Object.keys(wanted).some(
      (name) =>
        !covers(actual[name], wanted[name]) && replacesAt(`${path}.${name}`, actual[name], wanted[name], attributes),
    );
  }
  const element = Object.entries(attributes).filter(([full]) => full.startsWith(`${path}[].`));
  if (!element.some(([, { replaces: inside }]) => inside)) return false;
  if (!Array.isArray(actual) || !Array.isArray(wanted) || actual.length !== wanted.length) return true;
  // Elements of a set have no order: each is held against the one of its name.
  return wanted.some((item, i) => {
    const other = actual.find((one) => isObject(one) && isObject(item) && one.name === item.name) ?? actual[i];
    return element.some(([full, { replaces: inside }]) => {
      const name = full.slice(`${path}[].`.length);
      return inside === true && !covers(isObject(other) ? other[name] : other, isObject(item) ? item[name] : item);
    });
  });
}

/** What an import id names, with its inputs. @throws Error where it is not of the type's form, or there is no such thing. */
export async function imported(
  kind: Kind,
  context: Context,
  importId: string,
): Promise<{ id: string; state: Properties; inputs: Properties }> {
  const { id, prior } = namedBy(kind, importId);
  const state = await kind.read(context, id, prior);
  if (!state) throw new Error(`${importId} does not exist, so it cannot be imported`);
  return { id, state, inputs: settable(state, "", factsOn(kind.type).attributes) };
}

/** What of a state a program may set. */
function settable(state: Properties, path: string, attributes: Attributes): Properties {
  const entries = Object.entries(state).flatMap(([name, value]): [string, unknown][] => {
    const full = `${path}${name}`;
    const attribute = attributes[full];
    if (!attribute || attribute.readOnly) return [];
    if (isObject(value) && attribute.type === "object") return [[name, settable(value, `${full}.`, attributes)]];
    if (!Array.isArray(value) || !attribute.type.endsWith("(object)")) return [[name, value]];
    return [[name, value.map((item) => (isObject(item) ? settable(item, `${full}[].`, attributes) : item))]];
  });
  return Object.fromEntries(entries);
}

/**
 * The resource's own id, and what of its attributes the import id names besides. As the provider has it: the number of
 * segments is exact, and each is URL-encoded.
 */
export function namedBy(kind: Kind, importId: string): { readonly id: string; readonly prior: Properties } {
  const { importId: form, attributes } = factsOn(kind.type);
  const names = form.split("/").map((part) => part.slice(1, -1));
  const segments = importId.split("/").map(decodeURIComponent);
  if (segments.length !== names.length || segments.includes("")) {
    throw new Error(`invalid ID: ${importId} is not ${form}`);
  }
  const values = names.map((name, i): [string, string] => [camelCase(name), segments[i] ?? ""]);
  const prior = values.filter(([name]) => attributes[name]);
  const [own] = values.filter(([name]) => !attributes[name]);
  // Where every segment is an attribute, the last of them is the id: a script's name.
  return { id: own?.[1] ?? values.at(-1)?.[1] ?? "", prior: Object.fromEntries(prior) };
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
