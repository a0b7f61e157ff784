/**
 * Makes infra/provider/facts/facts.json from the facts on the whole provider (its schema, walked):
 *
 *     node test/provider/reduce-facts.ts <schema.json>
 *
 * It keeps only the types that the adapter knows, and only attributes of the released provider: those that the newer
 * SDK's types add are in infra/provider/facts/newer.ts. It stops at an unknown validator or modifier, so that no rule
 * is dropped silently.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Attribute, DataSource, Facts, Resource } from "../../infra/provider/facts/types.ts";
import { DATA_SOURCES } from "../../infra/provider/functions.ts";
import { TYPES } from "../../infra/provider/index.ts";
import { ROOT } from "../../infra/release/root.ts";

const READ_ONLY = "computed only (read-only)";
const Given = v.object({
  pulumi: v.string(),
  type: v.string(),
  flags: v.picklist(["required", "optional", "optional, computed", READ_ONLY]),
  source: v.optional(v.string()),
  sensitive: v.optional(v.boolean(), false),
  default: v.optional(v.unknown()),
  validators: v.optional(v.array(v.string()), []),
  plan_modifiers: v.optional(v.array(v.string()), []),
  requires_replace: v.optional(v.boolean(), false),
});
const Attributes = v.record(v.string(), Given);
const Source = v.object({
  about: v.object({ terraform_provider: v.string() }),
  client: v.object({
    retry: v.object({ max_attempts: v.number(), waits_s: v.array(v.number()) }),
  }),
  provider: v.object({ attributes: v.record(v.string(), v.looseObject({ pattern: v.optional(v.string()) })) }),
  resources: v.record(
    v.string(),
    v.object({
      pulumi_class: v.string(),
      import_id: v.string(),
      delete_makes_api_call: v.boolean(),
      attributes: Attributes,
    }),
  ),
  data_sources: v.record(
    v.string(),
    v.object({
      pulumi_function: v.string(),
      source: v.optional(v.string()),
      config_validators: v.optional(v.array(v.string()), []),
      attributes: Attributes,
    }),
  ),
});

const [path = ""] = process.argv.slice(2);
const source = v.parse(Source, JSON.parse(readFileSync(path, "utf8")));

const resources: [string, Resource][] = Object.values(source.resources).flatMap((given) => {
  const type = TYPES.find((known) => known.endsWith(`:${given.pulumi_class}`));
  if (type === undefined) return [];
  const { import_id: importId, delete_makes_api_call: deletes } = given;
  return [[type, { importId, deletes, attributes: attributesOf(given.attributes) }]];
});
const dataSources: [string, DataSource][] = Object.values(source.data_sources).flatMap((given) => {
  if (!DATA_SOURCES.includes(given.pulumi_function) || given.source !== undefined) return [];
  const one = given.config_validators.map((text) => namesIn(text).map(camel));
  const settable = Object.entries(given.attributes).filter(([, { flags }]) => flags !== READ_ONLY);
  const attributes = attributesOf(Object.fromEntries(settable));
  return [[given.pulumi_function, { ...(one[0] && { exactlyOne: one[0] }), attributes }]];
});
const facts: Facts = {
  provider: source.about.terraform_provider,
  apiToken: source.provider.attributes.api_token?.pattern ?? "",
  retry: { attempts: source.client.retry.max_attempts, waits: source.client.retry.waits_s, less: 0.25 },
  resources: Object.fromEntries(resources),
  dataSources: Object.fromEntries(dataSources),
};
const target = join(ROOT, "infra/provider/facts/facts.json");
writeFileSync(target, JSON.stringify(facts, null, 1).replace(/\{\n\s+"type"[^{}]*\}/g, oneLine));
execFileSync(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", target]);

function attributesOf(given: v.InferOutput<typeof Attributes>): Record<string, Attribute> {
  const readOnly = Object.values(given).filter(({ flags }) => flags === READ_ONLY);
  // Attributes below a read-only one add nothing.
  const shown = Object.values(given).filter(
    ({ pulumi, source: added }) =>
      added === undefined && !readOnly.some((above) => /^(\.|\[)/.test(after(pulumi, above.pulumi))),
  );
  return Object.fromEntries(shown.map((attribute) => [attribute.pulumi, attributeOf(attribute)]));
}

/** The rest of `path` after `start`; empty if it does not begin with it. */
function after(path: string, start: string): string {
  return path.startsWith(start) ? path.slice(start.length) : "";
}

function attributeOf(given: v.InferOutput<typeof Given>): Attribute {
  const { type, flags, requires_replace: replaces } = given;
  const value = defaultOf(given.default);
  return {
    type,
    ...(flags === "required" && { required: true }),
    ...(flags === "optional, computed" && { computed: true }),
    ...(flags === READ_ONLY && { readOnly: true }),
    ...(given.sensitive && { sensitive: true }),
    ...(value !== undefined && { default: value }),
    ...(replaces && { replaces: true }),
    ...(replaces && given.plan_modifiers.some(onlyConfigured) && { ifConfigured: true }),
    ...Object.assign({}, ...given.validators.map(ruleOf)),
  };
}

function onlyConfigured(text: string): boolean {
  return /if configured|is configured and changes/.test(text);
}

/** A default is a value, or a list or object as text, in which `<null>` and `<unknown>` are values that are not set. */
function defaultOf(given: unknown): unknown {
  if (typeof given !== "string" || !/^[[{]/.test(given)) return given;
  const value: unknown = JSON.parse(given.replace(/<null>|<unknown>/g, "null"), (_, inner) => inner ?? undefined);
  return camelKeys(value);
}

function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [camel(name), camelKeys(inner)]));
}

/** A validator's description as a rule. */
function ruleOf(text: string): Partial<Attribute> {
  const [, list] = /value must be one of[^:]*: \[(.*)\]/.exec(text) ?? [];
  const values = list?.match(/"[^"]*"/g)?.map((quoted) => quoted.slice(1, -1));
  if (values) return text.startsWith("element") ? { eachOneOf: values } : { oneOf: values };
  const [, least, most] = /value must be between (\S+) and (\S+)$/.exec(text) ?? [];
  if (least !== undefined) return { between: [Number(least), Number(most)] };
  const [, only] = /value must be at least (\S+)$/.exec(text) ?? [];
  if (only !== undefined) return { atLeast: Number(only) };
  if (text === "value must be either a boolean or a list of strings") return { booleanOrTexts: true };
  if (text.includes("these are not set")) return { without: namesIn(text).map(lastOf) };
  if (text.startsWith("Ensure that at least one")) return { orElse: namesIn(text).map(lastOf) };
  throw new Error(`This script does not know the validator "${text}". Teach it, and infra/provider/facts/rules.ts.`);
}

/** Reads `[sibling content_file]` and `[assets.jwt]`, which name an attribute beside the validator's own. */
function namesIn(text: string): string[] {
  return /\[(.*)\]/.exec(text)?.[1]?.split(",") ?? [];
}

function lastOf(name: string): string {
  return camel(name.split(/[. ]/).at(-1) ?? name);
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function oneLine(text: string): string {
  return text.replace(/\n\s*/g, " ");
}
