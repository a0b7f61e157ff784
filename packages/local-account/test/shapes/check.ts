/** Holds a JSON value to a schema: pure. Says which field breaks which rule. */
import type { Schema, Schemas } from "./schema.ts";

export interface Breach {
  /** As `result.bindings[0].name`. */
  readonly field: string;
  readonly rule: "missing" | "unknown" | "wrong";
  /** What it should be and what it is. */
  readonly why: string;
}

/** The fields that break the schema's rules. A field that the schema does not name breaks one too. */
export function breaches(value: unknown, schema: Schema, $defs: Schemas["$defs"], field = ""): readonly Breach[] {
  const wrong = (expected: string): Breach[] => [
    { field, rule: "wrong", why: `must be ${expected}, and is ${brief(value)}` },
  ];
  const rule = resolved(schema, $defs);
  if (rule.anyOf !== undefined) return nearest(value, rule.anyOf, $defs, field) ?? wrong(expectedOf(rule, $defs));
  if ("const" in rule) return value === rule.const ? [] : wrong(JSON.stringify(rule.const));
  switch (rule.type) {
    case undefined:
      return [];
    case "null":
      return value === null ? [] : wrong("null");
    case "array":
      if (!Array.isArray(value)) return wrong("a list");
      return value.flatMap((item, index) => breaches(item, rule.items ?? {}, $defs, `${field}[${index}]`));
    case "object":
      return isRecord(value) ? members(value, rule, $defs, field) : wrong("an object");
    default:
      return typeof value === rule.type ? [] : wrong(`a ${rule.type}`);
  }
}

function members(
  value: Readonly<Record<string, unknown>>,
  { properties = {}, required = [], additionalProperties }: Schema,
  $defs: Schemas["$defs"],
  field: string,
): Breach[] {
  const at = (name: string) => (field === "" ? name : `${field}.${name}`);
  const missing = required
    .filter((name) => !(name in value))
    .map((name): Breach => ({ field: at(name), rule: "missing", why: "is missing" }));
  const present = Object.entries(value).flatMap(([name, member]): readonly Breach[] => {
    const own = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (own === undefined) return [];
    if (own === false) return [{ field: at(name), rule: "unknown", why: `is not in the type (${brief(member)})` }];
    return breaches(member, own, $defs, at(name));
  });
  return [...missing, ...present];
}

/**
 * The breaches of the kind that the value is nearest to: first by constants as `type: "d1"`, then by their number.
 * Undefined if it is of no kind.
 */
function nearest(
  value: unknown,
  kinds: readonly Schema[],
  $defs: Schemas["$defs"],
  field: string,
): readonly Breach[] | undefined {
  const fitting = kinds.map((kind) => resolved(kind, $defs)).filter((kind) => fits(value, kind, $defs));
  return fitting
    .map((kind) => breaches(value, kind, $defs, field))
    .sort((a, b) => a.length - b.length)
    .at(0);
}

function fits(value: unknown, kind: Schema, $defs: Schemas["$defs"]): boolean {
  if (kind.type === "array") return Array.isArray(value);
  if (kind.type !== "object") return breaches(value, kind, $defs).length === 0;
  return (
    isRecord(value) &&
    Object.entries(kind.properties ?? {}).every(([name, member]) => {
      const rule = resolved(member, $defs);
      return !("const" in rule && name in value) || value[name] === rule.const;
    })
  );
}

function resolved(schema: Schema, $defs: Schemas["$defs"]): Schema {
  if (schema.$ref === undefined) return schema;
  const found = $defs[schema.$ref.slice("#/$defs/".length)];
  if (found === undefined) throw new Error(`the schemas have no ${schema.$ref}`);
  return found;
}

/** What a union takes, in words. */
function expectedOf({ anyOf = [] }: Schema, $defs: Schemas["$defs"]): string {
  const kinds = anyOf.map((kind) => {
    const rule = resolved(kind, $defs);
    if ("const" in rule) return JSON.stringify(rule.const);
    const type = rule.properties?.type;
    return type !== undefined && "const" in type ? `an object of type ${JSON.stringify(type.const)}` : `${rule.type}`;
  });
  return [...new Set(kinds)].join(" or ");
}

const brief = (value: unknown) => {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
