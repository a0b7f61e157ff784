/**
 * JSON Schema of what callers send, for the OpenAPI document. It knows only the valibot schemas that this Worker uses:
 * the full converter (@valibot/to-json-schema) would be a tenth of the bundle. A test compares the two.
 */

/** The members of a valibot schema or action that matter here. */
interface Part {
  readonly type: string;
  readonly pipe?: readonly Part[];
  readonly requirement?: unknown;
  readonly description?: string;
  readonly entries?: Readonly<Record<string, Part>>;
  readonly item?: Part;
  readonly value?: Part;
  readonly wrapped?: Part;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly default?: unknown;
  /** Of a transform. */
  readonly operation?: unknown;
}

type JsonSchema = Record<string, unknown>;

const INTEGER = { type: "integer", format: "int64" };

/** Reads a whole number that a URL has. OpenAPI has it as a number, not as text: who writes the URL is the client. */
export const numberIn = (text: string): number => Number(text);

/** The JSON Schema of a valibot schema's input, without checks that are functions. */
export function jsonSchema(part: Part): JsonSchema {
  const [, ...actions] = part.pipe ?? [];
  const end = actions.findIndex(({ type }) => type === "transform");
  const isNumber = actions[end]?.operation === numberIn;
  const checks = end < 0 ? actions : isNumber ? actions.slice(end) : actions.slice(0, end);
  const start = isNumber ? { ...INTEGER } : bare(part);
  return checks.reduce((schema, action) => Object.assign(schema, constraint(schema, action)), start);
}

function bare(part: Part): JsonSchema {
  switch (part.type) {
    case "string":
    case "number":
    case "boolean":
      return { type: part.type };
    case "unknown":
      return {};
    case "literal":
      return { type: typeof part.literal, const: part.literal };
    case "picklist":
      return { type: "string", enum: part.options };
    case "array":
      return { type: "array", items: of(part.item) };
    case "union":
      return { anyOf: (part.options ?? []).filter(isPart).map(jsonSchema) };
    case "record":
      return { type: "object", propertyNames: { type: "string" }, additionalProperties: of(part.value) };
    case "object":
    case "strict_object":
      return object(part);
    case "optional":
      return optional(of(part.wrapped), part.default);
    case "nullable":
      return { anyOf: [of(part.wrapped), { type: "null" }] };
    default:
      throw new Error(`worker/http/json-schema.ts does not know valibot's "${part.type}": add it there`);
  }
}

function optional(schema: JsonSchema, by: unknown): JsonSchema {
  if (by === undefined) return schema;
  return { ...schema, default: schema.type === "integer" ? Number(by) : by };
}

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null && "type" in value;

function object({ type, entries = {} }: Part): JsonSchema {
  const named = Object.entries(entries);
  return {
    type: "object",
    properties: Object.fromEntries(named.map(([name, entry]) => [name, jsonSchema(entry)])),
    required: named.filter(([, entry]) => entry.type !== "optional").map(([name]) => name),
    ...(type === "strict_object" && { additionalProperties: false }),
  };
}

function of(part: Part | undefined): JsonSchema {
  return part ? jsonSchema(part) : {};
}

function constraint({ type: base }: JsonSchema, { type, requirement, description }: Part): JsonSchema {
  const size = base === "array" ? "Items" : "Length";
  switch (type) {
    case "integer":
    case "safe_integer":
      return INTEGER;
    case "min_value":
      return { minimum: requirement };
    case "max_value":
      return { maximum: requirement, ...(base === "integer" && Number(requirement) < 2 ** 31 && { format: "int32" }) };
    case "non_empty":
      return { [`min${size}`]: 1 };
    case "min_length":
      return { [`min${size}`]: requirement };
    case "max_length":
      return { [`max${size}`]: requirement };
    case "regex":
      return requirement instanceof RegExp ? { pattern: requirement.source } : {};
    case "description":
      return { description };
    case "iso_timestamp":
      return { format: "date-time" };
    default:
      return {};
  }
}
