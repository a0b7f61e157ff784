/**
 * Judges inputs by the facts, as the provider's Check does at preview: read-only, required, types, validators. The words
 * are the provider's where it has some. One rule is ours: the provider drops a property that it does not know without a
 * word, and here that is a mistake.
 */
import { isObject, type Properties, parsed, UNKNOWN } from "../values.ts";
import type { Attribute, Attributes } from "./types.ts";

/** An input that is not as it has to be. */
export interface InputProblem {
  /** Where it is: `modules[0].contentSha256`. */
  readonly property: string;
  /** Begins with the property. */
  readonly reason: string;
}

/** All that is wrong with `inputs`, whose secrets are plain; no reason repeats a sensitive value. */
export function problemsIn(inputs: Properties, attributes: Attributes): readonly InputProblem[] {
  return [...inObject(inputs, { path: "", place: "" }, attributes)];
}

/** Which of the attributes are directly below `path`, by name. */
const below = (path: string, attributes: Attributes): ReadonlyMap<string, Attribute> => {
  const start = path === "" ? "" : `${path}.`;
  return new Map(
    Object.entries(attributes).flatMap(([full, attribute]) => {
      const name = full.slice(start.length);
      return full.startsWith(start) && !/[.[]/.test(name) ? [[name, attribute]] : [];
    }),
  );
};

/** Where a value stands: `path` in the facts (`rules[].host`), `place` in the inputs (`rules[2].host`). */
interface Spot {
  readonly path: string;
  readonly place: string;
}

/** The problems of an object. */
function* inObject(given: Properties, { path, place }: Spot, attributes: Attributes): Iterable<InputProblem> {
  const known = below(path, attributes);
  const inner = (start: string, name: string) => (start === "" ? name : `${start}.${name}`);
  for (const [name, attribute] of known) {
    if (attribute.required && !isSet(given[name])) {
      const words = "Must set a configuration value for this attribute as the provider has marked it as required.";
      yield problem(inner(place, name), `Missing Configuration for Required Attribute. ${words}`);
    }
    const { orElse = [] } = attribute;
    if (orElse.length > 0 && [name, ...orElse].every((one) => !isSet(given[one])) && name < (orElse[0] ?? "")) {
      const words = `At least one of these attributes must be configured: [${[name, ...orElse].join(",")}]`;
      yield problem(inner(place, name), `Invalid Attribute Combination. ${words}`);
    }
  }
  for (const [name, value] of Object.entries(given)) {
    if (!isSet(value)) continue;
    const at = inner(place, name);
    const attribute = known.get(name);
    if (!attribute) {
      yield problem(at, `Unsupported argument. The provider has no attribute of this name, and would drop it.`);
      continue;
    }
    if (attribute.readOnly) {
      const words =
        "Cannot set value for this attribute as the provider has marked it as read-only. Remove the configuration line setting the value.";
      yield problem(at, `Invalid Configuration for Read-Only Attribute. ${words}`);
      continue;
    }
    const together = attribute.without?.find((other) => isSet(given[other]));
    if (together !== undefined) {
      const words = `These attributes cannot be configured together: [${name},${together}]`;
      yield problem(at, `Invalid Attribute Combination. ${words}`);
    }
    yield* inValue(value, attribute, { path: inner(path, name), place: at }, attributes);
  }
}

/** The problems of a value that is set, and of what is in it. */
function* inValue(value: unknown, attribute: Attribute, spot: Spot, attributes: Attributes): Iterable<InputProblem> {
  const { path, place } = spot;
  if (value === UNKNOWN) return;
  const [, collection, element] = /^(list|set|map)\((.*)\)$/.exec(attribute.type) ?? [];
  if (collection === "map" && element !== undefined) {
    if (!isObject(value)) return yield wrongType(place, "an object", value);
    for (const [key, item] of Object.entries(value)) {
      yield* inElement(item, element, { path: `${path}.*`, place: `${place}[${JSON.stringify(key)}]` }, attributes);
    }
    return;
  }
  if (element !== undefined) {
    if (!Array.isArray(value)) return yield wrongType(place, "a list", value);
    for (const [i, item] of value.entries()) {
      yield* inElement(item, element, { path: `${path}[]`, place: `${place}[${i}]` }, attributes);
      if (attribute.eachOneOf) yield* notOneOf(item, attribute.eachOneOf, `${place}[${i}]`);
    }
    return;
  }
  yield* inElement(value, attribute.type, spot, attributes);
  yield* againstValidators(value, attribute, place);
}

function* inElement(value: unknown, type: string, spot: Spot, attributes: Attributes): Iterable<InputProblem> {
  if (value === UNKNOWN) return;
  if (type === "object") {
    if (isObject(value)) yield* inObject(value, spot, attributes);
    else yield wrongType(spot.place, "an object", value);
    return;
  }
  const wanted = TYPES[type];
  if (wanted && !wanted.is(value)) yield wrongType(spot.place, wanted.name, value);
}

const text = (value: unknown): value is string => typeof value === "string";

const TYPES: Readonly<Record<string, { name: string; is(value: unknown): boolean }>> = {
  string: { name: "text", is: text },
  "string (JSON)": { name: "JSON as text", is: (value) => text(value) && parsed(value) !== undefined },
  "string (RFC 3339)": { name: "a time as text", is: text },
  bool: { name: "true or false", is: (value) => typeof value === "boolean" },
  int64: { name: "a whole number", is: Number.isSafeInteger },
  float64: { name: "a number", is: Number.isFinite },
};

function* againstValidators(value: unknown, attribute: Attribute, place: string): Iterable<InputProblem> {
  const { oneOf, between, atLeast, booleanOrTexts, sensitive } = attribute;
  if (oneOf) yield* notOneOf(value, oneOf, place, sensitive);
  const [least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY] = between ?? [atLeast];
  if (typeof value === "number" && (value < least || value > most)) {
    const range = between ? `between ${least} and ${most}` : `at least ${least}`;
    yield problem(place, `Invalid Attribute Value. Attribute value must be ${range}, got: ${value}`);
  }
  if (booleanOrTexts && typeof value !== "boolean" && !(Array.isArray(value) && value.every(text))) {
    yield problem(place, "Invalid Attribute Value. value must be either a boolean or a list of strings");
  }
}

function* notOneOf(value: unknown, values: readonly string[], place: string, secret = false): Iterable<InputProblem> {
  if (!text(value) || values.some((known) => known.toLowerCase() === value.toLowerCase())) return;
  const list = values.map((known) => `"${known}"`).join(" ");
  yield problem(
    place,
    `Invalid Attribute Value Match. Attribute value must be one of: [${list}]${secret ? "" : `, got: "${value}"`}`,
  );
}

/** Says no value: it may be a secret that stands where none belongs. */
const wrongType = (place: string, wanted: string, value: unknown): InputProblem =>
  problem(place, `Incorrect attribute value type. It must be ${wanted}, and is ${kindName(value)}.`);

const kindName = (value: unknown): string => (Array.isArray(value) ? "a list" : typeof value);

const isSet = (value: unknown): boolean => value !== undefined && value !== null;

const problem = (property: string, words: string): InputProblem => ({ property, reason: `${property}: ${words}` });
