/** Holds the account's answers to the types of Cloudflare's official SDK. */
import type { Answer } from "../../src/index.ts";
import { type Breach, breaches } from "./check.ts";
import { EXCEPTIONS } from "./exceptions.ts";
import { ROUTES } from "./routes.ts";
import type { Schema, Schemas } from "./schema.ts";
import { schemasOf } from "./schemas.ts";

/** What every answer has around its result, and what pages have beside it: "Make API calls" in Cloudflare's docs. */
const NOTES: Schema = {
  type: "array",
  items: {
    type: "object",
    properties: { code: { type: "number" }, message: { type: "string" } },
    required: ["code", "message"],
  },
};
const SUCCESS: Schema = {
  type: "object",
  properties: { success: { const: true }, errors: NOTES, messages: NOTES },
  required: ["success", "errors", "messages"],
};
const FAILURE: Schema = {
  type: "object",
  properties: { success: { const: false }, errors: NOTES, messages: NOTES, result: { type: "null" } },
  required: ["success", "errors", "messages", "result"],
  additionalProperties: false,
};

/** The schemas of every method that the routes name. */
export const sdkSchemas = (): Promise<Schemas> =>
  schemasOf([...new Set(Object.values(ROUTES).filter((line) => typeof line === "string"))].sort());

/** A field of a route's answers, and what is wrong with it: the same for each item of a list. */
export interface Mistake {
  readonly where: string;
  readonly why: string;
}

/** What is wrong with an answer. */
export function mistakesOf(answer: Answer, schemas: Schemas): Mistake[] {
  const { method, route } = answer;
  // A guard answered, or there is no such route.
  if (route === undefined) return breachesOf(answer, undefined, schemas).map(told(`${method} of no route`));
  const name = `${method} ${route}`;
  const line = ROUTES[name];
  if (line === undefined) return [{ where: name, why: "has no line in test/shapes/routes.ts" }];
  const sdk = typeof line === "string" ? line : undefined;
  return breachesOf(answer, sdk, schemas)
    .filter((breach) => !excepted(name, breach))
    .map(told(sdk === undefined ? name : `${name} (${sdk})`));
}

const told =
  (name: string) =>
  ({ field, why }: Breach): Mistake => ({ where: `${name}: ${anyItem(field)}`, why });

const anyItem = (field: string) => field.replaceAll(/\[\d+\]/g, "[]");

function breachesOf(
  { route, status, json }: Answer,
  method: string | undefined,
  { methods, $defs }: Schemas,
): readonly Breach[] {
  const schema = method === undefined ? undefined : methods[method];
  if (route === "/graphql" || (schema === null && status < 400)) return [];
  // What the SDK does not know may be no JSON.
  if (json === undefined)
    return schema === undefined ? [] : [{ field: "the body", rule: "wrong", why: "must be JSON" }];
  const body: unknown = JSON.parse(json);
  const envelope = breaches(body, status < 400 ? SUCCESS : FAILURE, $defs);
  if (schema == null || status >= 400 || envelope.length > 0) return envelope;
  return breaches(withoutEnvelope(body, declared(schema, $defs)), schema, $defs);
}

const declared = ({ properties, $ref }: Schema, $defs: Schemas["$defs"]): Schema["properties"] =>
  properties ?? $defs[$ref?.slice("#/$defs/".length) ?? ""]?.properties;

/** The members of an answer that its own type is about. Where that has no result, Cloudflare sends none, or null. */
function withoutEnvelope(body: unknown, own: Schema["properties"] = {}): unknown {
  return Object.fromEntries(
    Object.entries(body ?? {}).filter(
      ([name, value]) =>
        name in own || !(["success", "errors", "messages"].includes(name) || (name === "result" && value === null)),
    ),
  );
}

const excepted = (route: string, { field, rule }: Breach) =>
  EXCEPTIONS.some(
    (exception) =>
      exception.rule === rule &&
      exception.routes.test(route) &&
      exception.fields.some((name) => covers(name.split("."), anyItem(field).split("."))),
  );

const covers = (names: readonly string[], field: readonly string[]) =>
  names.length === field.length && names.every((name, index) => name === "*" || name === field[index]);
