/**
 * Names on the wire and in Pulumi: snake_case there, camelCase here, and the same values beneath.
 * Keys that a user chose (the classes of `exports`) and values that belong to a user (`json`) stay as they are.
 */
import { isObject, type Properties } from "./values.ts";

/** Maps whose keys are names of the user's. */
const MAPS: ReadonlySet<string> = new Set(["exports", "env"]);
/** Values that are the user's own. */
const OPAQUE: ReadonlySet<string> = new Set(["json"]);

/** Lists that the provider names in the plural (types/output.d.ts, WorkerVersionExportsReconciliation). */
const PLURALS: Readonly<Record<string, string>> = {
  created: "createds",
  updated: "updateds",
  deleted: "deleteds",
  renamed: "renameds",
  transferred: "transferreds",
  transfer_pending: "transferPendings",
  info: "infos",
};

/** `workersMessage` is `workers/message` in annotations and would be `workers_message` elsewhere. */
const snake = (name: string, parent: string) =>
  (parent === "annotations" ? name.replace(/[A-Z]/, (letter) => `/${letter.toLowerCase()}`) : name).replace(
    /[A-Z]/g,
    (letter) => `_${letter.toLowerCase()}`,
  );

const camel = (name: string, parent: string) =>
  (parent === "exports_reconciliation" ? PLURALS[name] : undefined) ??
  name.replace(/[_/]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Pulumi's properties as a request body. What is not set is not sent. */
export const toWire = (properties: Properties): Properties => convert(properties, "", snake);

/** A result as Pulumi's properties. A `null` of its own stays, one further down is the same as nothing. */
export const fromWire = (result: Properties): Properties => convert(result, "", camel);

type Rename = (name: string, parent: string) => string;

function convert(value: Properties, parent: string, rename: Rename): Properties {
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined || (inner === null && parent !== "")) continue;
    const key = MAPS.has(parent) ? name : rename(name, parent);
    entries.push([key, OPAQUE.has(name) ? inner : convertInner(inner, MAPS.has(parent) ? "entry" : name, rename)]);
  }
  return Object.fromEntries(entries);
}

function convertInner(value: unknown, parent: string, rename: Rename): unknown {
  if (Array.isArray(value)) return value.map((item) => convertInner(item, parent, rename));
  return isObject(value) ? convert(value, parent, rename) : value;
}
