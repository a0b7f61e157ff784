/** Values as a Pulumi resource has them: plain JSON in camelCase, with no type that a compiler could check. */

export type Properties = Readonly<Record<string, unknown>>;

/** Stands in a preview for what is known only after the update (Pulumi's `unknownValue`). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export const isObject = (value: unknown): value is Properties =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const object = (value: unknown): Properties => (isObject(value) ? value : {});

export const objects = (value: unknown): readonly Properties[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** The text of `name`. @throws Error naming the property when it is not text. */
export function text(properties: Properties, name: string): string {
  const value = properties[name];
  if (typeof value !== "string") throw new Error(`${name} must be text, and is ${JSON.stringify(value) ?? "missing"}`);
  return value;
}

/** `properties` without those of `names`. */
export const without = (properties: Properties, ...names: readonly string[]): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));

/** Of `properties`, those of `names` that are set. */
export const pick = (properties: Properties, ...names: readonly string[]): Properties =>
  Object.fromEntries(names.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name]]));

/** The value that JSON text stands for; undefined when it is not JSON. */
export function parsed(json: unknown): unknown {
  if (typeof json !== "string") return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * Whether `actual` has everything that `wanted` asks for. An object may have more (what the server computed);
 * a list may not, though its elements may.
 */
export function covers(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) && actual.length === wanted.length && wanted.every((item, i) => covers(actual[i], item))
    );
  }
  if (isObject(wanted)) {
    return isObject(actual) && Object.entries(wanted).every(([name, value]) => covers(actual[name], value));
  }
  return actual === wanted;
}

/** The state right after a resource was made from `inputs`: these, and whatever the server added to them. */
export const made = (live: Properties, inputs: Properties): Properties => withoutNulls(object(overlay(live, inputs)));

function overlay(live: unknown, inputs: unknown): unknown {
  if (isObject(live) && isObject(inputs)) {
    const names = new Set([...Object.keys(live), ...Object.keys(inputs)]);
    return Object.fromEntries([...names].map((name) => [name, overlay(live[name], inputs[name])]));
  }
  if (Array.isArray(live) && Array.isArray(inputs) && live.length === inputs.length) {
    return inputs.map((item, i) => overlay(live[i], item));
  }
  return inputs === undefined ? live : inputs;
}

/** What the server says now, and from `prior` what it never says; a `null` of the server's takes a property away. */
export const refreshed = (prior: Properties, live: Properties): Properties => withoutNulls({ ...prior, ...live });

const withoutNulls = (properties: Properties): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null && value !== undefined));
