/** The facts on the real provider: inputs are checked by them, and they agree with the SDK's types. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import json from "../../infra/provider/facts/facts.json" with { type: "json" };
import { factsOn, factsOnSource } from "../../infra/provider/facts/index.ts";
import { NEWER } from "../../infra/provider/facts/newer.ts";
import type { Attributes, Facts } from "../../infra/provider/facts/types.ts";
import { DATA_SOURCES, problemsInArguments } from "../../infra/provider/functions.ts";
import { kindOf, TYPES } from "../../infra/provider/index.ts";
import { check, namedBy } from "../../infra/provider/kind.ts";
import { type Properties, UNKNOWN } from "../../infra/provider/values.ts";

const token = (name: string) => `cloudflare:index/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`;
const problems = (name: string, inputs: Properties) =>
  check(kindOf(token(name)), inputs).problems.map(({ reason }) => reason);

describe("inputs that the provider refuses", () => {
  const version = (more: Properties) => problems("WorkerVersion", { accountId: "a", workerId: "w", ...more });
  const module = { name: "m", contentType: "t", contentFile: "f" };
  const readOnly = (path: string) =>
    `${path}: Invalid Configuration for Read-Only Attribute. Cannot set value for this attribute as the provider has marked it as read-only. Remove the configuration line setting the value.`;

  it("none of these", () => {
    const bindings = [
      { type: "Secret_Text", name: "A", text: UNKNOWN },
      { type: "json", name: "B", json: "[1]" },
    ];
    const exports = { Any_Name: { type: "durable-object", storage: "sqlite" } };
    expect(version({ modules: [module], bindings, exports, workerId: UNKNOWN, limits: undefined })).toEqual([]);
  });

  it("read-only ones, which the types let a program set", () => {
    expect(version({ modules: [module, { ...module, contentSha256: "0".repeat(64) }] })).toEqual([
      readOnly("modules[1].contentSha256"),
    ]);
    expect(version({ annotations: { workersTriggeredBy: "x" }, assets: { assetManifestSha256: "x" } })).toEqual([
      readOnly("annotations.workersTriggeredBy"),
      readOnly("assets.assetManifestSha256"),
    ]);
    expect(problems("Worker", { accountId: "a", name: "w", subdomain: { url: "https://x" } })).toEqual([
      readOnly("subdomain.url"),
    ]);
    const schedules = [{ cron: "* * * * *", createdOn: "now" }];
    expect(problems("WorkersCronTrigger", { accountId: "a", scriptName: "s", schedules })).toEqual([
      readOnly("schedules[0].createdOn"),
    ]);
  });

  it("required ones that are missing, wherever they are", () => {
    const missing = /: Missing Configuration for Required Attribute\. /;
    const found = problems("WorkersDeployment", { accountId: "a", strategy: null, versions: [{ percentage: 100 }] });
    expect(found.map((reason) => reason.split(missing)[0])).toEqual([
      "scriptName",
      "strategy",
      "versions[0].versionId",
    ]);
    expect(version({ exports: { Box: {} } })[0]).toMatch(/^exports\["Box"\]\.type: Missing/);
  });

  it("values that are none of the allowed, out of range, or of another type", () => {
    expect(version({ bindings: [{ type: "sekret", name: "A" }] })[0]).toMatch(
      /^bindings\[0\]\.type: Invalid Attribute Value Match.*"kv_namespace".*got: "sekret"$/,
    );
    const split = (percentage: unknown) =>
      problems("WorkersDeployment", {
        accountId: "a",
        scriptName: "s",
        strategy: "percentage",
        versions: [{ versionId: "v", percentage }],
      });
    expect(split(0)).toEqual([
      "versions[0].percentage: Invalid Attribute Value. Attribute value must be between 0.01 and 100, got: 0",
    ]);
    expect(split("100")[0]).toMatch(/must be a number, and is string/);
    expect(version({ limits: { cpuMs: 1.5 } })[0]).toMatch(/^limits\.cpuMs: .*a whole number/);
    expect(version({ compatibilityFlags: "x" })[0]).toMatch(/a list, and is string/);
    expect(version({ bindings: [{ type: "json", name: "A", json: "{" }] })[0]).toMatch(/JSON as text/);
    expect(version({ assets: { config: { runWorkerFirst: "/x" } } })[0]).toMatch(/boolean or a list of strings/);
  });

  it("two that exclude each other, and both missing where one is required", () => {
    expect(version({ modules: [{ ...module, contentBase64: "eA==" }] })).toHaveLength(2);
    expect(version({ modules: [{ name: "m", contentType: "t" }] })).toEqual([
      "modules[0].contentBase64: Invalid Attribute Combination. At least one of these attributes must be configured: [contentBase64,contentFile]",
    ]);
    expect(version({ assets: { directory: "d", jwt: "j" } })[0]).toMatch(/cannot be configured together/);
  });

  it("unknown names", () => {
    expect(version({ content: "x", placement: { modus: "smart" } })).toEqual([
      expect.stringMatching(/^content: Unsupported argument/),
      expect.stringMatching(/^placement\.modus: Unsupported argument/),
    ]);
  });

  it("without showing the value of a secret", () => {
    const text = "very secret";
    const found = version({ bindings: [{ type: "secret_text", name: 5, text: [text] }] });
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain(text);
  });

  it("arguments of data sources too", () => {
    const words = (name: string, args: Properties) => problemsInArguments(name, args).map(({ reason }) => reason);
    expect(words("getWorkers", { accountId: "a", maxItems: 5 })).toEqual([]);
    expect(words("getWorkers", { maxItems: -1 })[0]).toMatch(/at least 0/);
    expect(words("getWorker", { accountId: "a" })).toEqual([
      "Exactly one of these attributes must be configured: [workerId,filter]",
    ]);
    expect(words("getZone", { filter: { name: "example.com" } })).toEqual([]);
    expect(words("getWorkersDeployments", { accountId: "a" })[0]).toMatch(/^scriptName: Missing/);
  });
});

describe("what the adapter does", () => {
  it.each([
    ["Worker", "acc/id-of-worker", "id-of-worker", { accountId: "acc" }],
    ["WorkerVersion", "acc/w/v", "v", { accountId: "acc", workerId: "w" }],
    ["WorkersDeployment", "acc/script/d", "d", { accountId: "acc", scriptName: "script" }],
    ["R2Bucket", "acc/bucket/default", "bucket", { accountId: "acc", jurisdiction: "default" }],
    ["WorkersKvNamespace", "acc/n", "n", { accountId: "acc" }],
    ["WorkersRoute", "zone/r", "r", { zoneId: "zone" }],
    ["WorkersCustomDomain", "acc/d", "d", { accountId: "acc" }],
    ["WorkersCronTrigger", "acc/a%2Fb", "a/b", { accountId: "acc", scriptName: "a/b" }],
    ["WorkersScriptSubdomain", "acc/s", "s", { accountId: "acc", scriptName: "s" }],
  ])("a %s is imported as %s", (name, importId, id, prior) => {
    expect(namedBy(kindOf(token(name)), importId)).toEqual({ id, prior });
    for (const wrong of [importId.slice(0, importId.lastIndexOf("/")), `${importId}/x`, `${importId}/`]) {
      expect(() => namedBy(kindOf(token(name)), wrong)).toThrow(/^invalid ID: .* is not <\w+_id>\//);
    }
  });

  it("deletes what the provider deletes, and leaves what it leaves", () => {
    const stays = TYPES.filter((type) => kindOf(type).remove === undefined);
    expect(stays).toEqual(TYPES.filter((type) => !factsOn(type).deletes));
    expect(stays.map((type) => type.split(":").at(-1))).toEqual([
      "WorkerVersion",
      "WorkersDeployment",
      "WorkersCronTrigger",
    ]);
  });

  it("has the rules of every data source except those that are listed as unknown", () => {
    expect(DATA_SOURCES.filter((name) => !factsOnSource(name))).toEqual(NEWER.unknownDataSources);
  });
});

describe("the facts and the types of the SDK", () => {
  const types = argumentTypes();

  it.each(TYPES.map((type) => [type.split(":").at(-1) ?? "", type]))("say the same of a %s", (name, type) => {
    const { attributes } = factsOn(type);
    const known = Object.keys(attributes).filter((path) => !isBelow(path, "previewsBaseConfig"));
    const inTypes = [...(types.get(name) ?? [])].filter((path) => !isBelow(path, "previewsBaseConfig"));
    expect(inTypes.length).toBeGreaterThan(2);
    expect(inTypes.filter((path) => !known.includes(path) && !aboveReadOnly(path, attributes))).toEqual([]);
    // The types leave out read-only attributes at the top level.
    const settable = known.filter((path) => !attributes[path]?.readOnly);
    expect(settable.filter((path) => !inTypes.includes(path))).toEqual([]);
  });

  it("lists as newer only what the released provider lacks", () => {
    for (const [type, attributes] of Object.entries(NEWER.attributes)) {
      expect(Object.keys(attributes).filter((path) => released(type)[path])).toEqual([]);
    }
    for (const [type, paths] of Object.entries(NEWER.values)) {
      for (const [path, values] of Object.entries(paths)) {
        expect(released(type)[path]?.oneOf).toEqual(expect.not.arrayContaining([...values]));
      }
    }
  });
});

/** The attributes as the released provider has them, without anything newer. */
const { resources }: Facts = json;
const released = (type: string): Attributes => resources[type]?.attributes ?? {};

const isBelow = (path: string, above: string) => path.startsWith(`${above}.`);
const aboveReadOnly = (path: string, attributes: Readonly<Record<string, { readonly readOnly?: boolean }>>) =>
  Object.entries(attributes).some(([above, { readOnly }]) => readOnly && path.startsWith(above));

/** The paths of all argument properties, in the form of the facts, by class name. */
function argumentTypes(): ReadonlyMap<string, readonly string[]> {
  const names = TYPES.map((type) => type.split(":").at(-1) ?? "");
  const folder = join(createRequire(import.meta.url).resolve("@pulumi/cloudflare/package.json"), "..");
  const all = readdirSync(folder);
  // `R2Bucket` is in r2bucket.d.ts.
  const fileOf = (name: string) => all.find((file) => file.toLowerCase() === `${name.toLowerCase()}.d.ts`) ?? "";
  const files = names.map((name) => join(folder, fileOf(name)));
  const program = ts.createProgram(files, {
    module: ts.ModuleKind.NodeNext,
    strict: true,
    types: [],
    lib: ["lib.es2024.d.ts"],
  });
  const checker = program.getTypeChecker();
  const paths = (type: ts.Type, start: string): string[] =>
    checker.getPropertiesOfType(type).flatMap((property) => {
      const path = `${start}${property.getName()}`;
      return [path, ...within(checker.getTypeOfSymbol(property), path)];
    });
  /** Unwraps `Input<…>`, which is a union of the value with promises and outputs of it. */
  const within = (type: ts.Type, path: string): string[] => {
    const parts = (type.isUnion() ? type.types : [type]).filter(
      (part) => !/^(Promise|OutputInstance)$/.test(part.symbol?.getName() ?? ""),
    );
    const found = parts.flatMap((part) => {
      if (checker.isArrayType(part)) {
        const element = part.getNumberIndexType();
        return element ? within(element, `${path}[]`) : [];
      }
      if (!(part.flags & ts.TypeFlags.Object)) return [];
      const map = part.getStringIndexType();
      if (map) return within(map, `${path}.*`);
      return paths(part, `${path}.`);
    });
    return [...new Set(found)];
  };
  return new Map(
    names.map((name, i) => {
      const source = program.getSourceFile(files[i] ?? "");
      const module = source && checker.getSymbolAtLocation(source);
      const args = module && checker.getExportsOfModule(module).find((symbol) => symbol.getName() === `${name}Args`);
      return [name, args ? paths(checker.getDeclaredTypeOfSymbol(args), "") : []];
    }),
  );
}
