/** Every key of wrangler.jsonc is in one list, and keys that no release uses are refused by name, all at once. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { readWorkerConfig, refusedKeys } from "../../infra/release/worker-config.ts";
import { DEPLOYED, isEnd, listOf, MACHINE, REFUSED } from "../../infra/release/wrangler-keys.ts";
import { scratch } from "../scratch.ts";

const dir = scratch();

interface Node {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}
const schema: { readonly definitions: Readonly<Record<string, Node>> } = JSON.parse(
  readFileSync(join(ROOT, "node_modules/wrangler/config-schema.json"), "utf8"),
);

/** The paths of wrangler's schema, each down to the first key that is in a list, else to the leaf. */
function pathsOf(node: Node, path: string): readonly string[] {
  const target = node.$ref === undefined ? node : schema.definitions[node.$ref.split("/").at(-1) ?? ""];
  if (isEnd(path)) return [path];
  if (target?.anyOf) return target.anyOf.flatMap((one) => pathsOf(one, path));
  if (target?.items) return pathsOf(target.items, `${path}[]`);
  const inner = Object.entries(target?.properties ?? {});
  if (inner.length === 0) return [path];
  return inner.flatMap(([key, one]) => pathsOf(one, path === "" ? key : `${path}.${key}`));
}
const paths = [...new Set(pathsOf(schema.definitions.RawConfig ?? {}, ""))];

describe("the lists", () => {
  it("have every key of wrangler's schema, and no other", () => {
    expect(paths.length).toBeGreaterThan(80);
    expect(paths.filter((path) => listOf(path)?.listed !== path && listOf(path)?.list !== "refused")).toEqual([]);
    const listed = [...Object.keys(DEPLOYED), ...Object.keys(MACHINE), ...Object.keys(REFUSED)];
    expect(listed.filter((path, i) => listed.indexOf(path) !== i)).toEqual([]);
    // Keys that are above others of the lists are not leaves.
    const above = listed.filter((path) => listed.some((other) => other.startsWith(`${path}.`)));
    expect(listed.filter((path) => !paths.includes(path) && !above.includes(path))).toEqual([]);
  });

  it("are described in the guide, key by key", () => {
    const guide = readFileSync(join(ROOT, "docs/wrangler-file.md"), "utf8");
    for (const [list, entries] of Object.entries({ DEPLOYED, MACHINE, REFUSED })) {
      const missing = Object.entries(entries).filter(([path, why]) => !guide.includes(`| \`${path}\` | ${why} |`));
      expect(missing, list).toEqual([]);
    }
  });
});

const BASE = {
  name: "theirs",
  main: "src/index.ts",
  compatibility_date: "2026-11-01",
  durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] },
};
const read = (more: object) => {
  const file = join(dir, "wrangler.jsonc");
  writeFileSync(file, JSON.stringify({ ...BASE, ...more }));
  return () => readWorkerConfig(file);
};

describe("a wrangler file of another project", () => {
  it("that a release can use completely is read with its defaults", () => {
    expect(read({ dev: { port: 8787 }, define: { X: '"1"' }, observability: { enabled: true } })()).toMatchObject({
      define: { X: '"1"' },
      minify: true,
      rules: [],
      compatibility_flags: [],
    });
  });

  it("that is not JSON with comments is told with each line that is wrong", () => {
    const file = join(dir, "wrangler.jsonc");
    writeFileSync(file, '{\n  // Its name.\n  "name": "theirs",\n  main: "src/index.ts"\n}\n');
    expect(() => readWorkerConfig(file)).toThrow(
      `${file} is not JSON with comments:\n  wrangler.jsonc:4:3: this is no word of JSON: keys and texts stand in double quotes.`,
    );
  });

  it("that lacks a comma, a brace or a quote is told so in words", () => {
    const file = join(dir, "wrangler.jsonc");
    for (const [text, said] of [
      [
        '{\n  "name": "theirs"\n  "main": "a.ts"\n}\n',
        "3:3: a comma, or the end of this list or object, is missing before this.",
      ],
      ['{\n  "name": "theirs",\n  "main": "a.ts"\n', "4:1: a } is missing before this."],
      ['{\n  "name": "theirs,\n}\n', "2:11: this text has no end in its line: a double quote is missing."],
    ] as const) {
      writeFileSync(file, text);
      expect(() => readWorkerConfig(file)).toThrow(`${file} is not JSON with comments:\n  wrangler.jsonc:${said}`);
    }
  });

  it("of an online shop: one message names every key that would be dropped, and where to put it instead", () => {
    const shop = read({
      workers_dev: false,
      account_id: "0".repeat(32),
      routes: [{ pattern: "shop.example.com/*", zone_name: "example.com" }],
      vars: { CURRENCY: "EUR", REGIONS: {} },
      analytics_engine_datasets: [{ binding: "SALES" }],
      d1_databases: [{ binding: "DB", database_name: "orders", database_id: "x" }],
      queues: { producers: [{ binding: "MAILS", queue: "mails" }], consumers: [{ queue: "mails" }] },
      triggers: { crons: ["0 * * * *"] },
      env: { staging: { vars: {} } },
    });
    for (const line of [
      /workers_dev: a stack without hostname/,
      /account_id: set accountId in Pulumi\.<stack>\.yaml/,
      /routes: set hostname, or zoneId and routes/,
      /analytics_engine_datasets: add the binding/,
      /queues\.consumers: leave it out: `npx wrangler queues consumer add`/,
      /env: a stack is an environment/,
    ])
      expect(shop).toThrow(line);
    expect(shop).not.toThrow(/REGIONS|CURRENCY|producers|triggers/);
  });

  it("of a chat: a class of another Worker, migrations and the settings of a version", () => {
    const chat = read({
      durable_objects: { bindings: [{ name: "USERS", class_name: "User", environment: "staging" }] },
      migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
      placement: { mode: "smart", hint: "weur" },
      services: [{ binding: "AUTH", service: "auth", props: {} }],
      observability: { enabled: true, redact_query_string: true },
    });
    for (const line of [
      /bindings\[\]\.environment/,
      /migrations: write the step/,
      /placement\.hint: /,
      /services\[\]\.props: /,
    ])
      expect(chat).toThrow(line);
    expect(chat).toThrow(/observability\.redact_query_string: leave it out/);
  });

  it("with unknown keys inside known ones: each is an error, and none is dropped", () => {
    const more = {
      limits: { cpu_ms: 50, memory: 1 },
      ratelimits: [{ name: "R", namespace_id: "1", simple: { limit: 5, period: 30 } }],
      triggers: { crons: ["hourly"] },
      observability: { enabled: true, logs: { enabled: true, level: "debug" } },
    };
    for (const line of [/limits\.memory/, /10 or 60 seconds/, /five fields/, /observability\.logs\.level/])
      expect(read(more)).toThrow(line);
  });

  it("with an unknown key, or a value that must be a list or a map and is not", () => {
    expect(refusedKeys({ ...BASE, compatability_date: "2026-11-01" })).toEqual([
      "compatability_date: it is not a key that is known here; correct its name.",
    ]);
    expect(read({ kv_namespaces: "READS" })).toThrow(/kv_namespaces: must be a list/);
    expect(read({ rules: [{ type: "ESModule", globs: ["**/*.mjs"] }] })).toThrow(/must be Text, Data or CompiledWasm/);
  });

  it("with the program's own bindings: the stack sets those, whatever the file says", () => {
    const own = { kv_namespaces: [{ binding: "READS" }], r2_buckets: [{ binding: "BLOBS" }] };
    expect(refusedKeys({ ...BASE, ...own, version_metadata: { binding: "VERSION" } })).toEqual([]);
    expect(refusedKeys({ ...BASE, kv_namespaces: [{ binding: "READS", id: "abc" }, { binding: "USERS" }] })).toEqual(
      [],
    );
    expect(refusedKeys({ ...BASE, version_metadata: { binding: "OTHER" } })).toEqual([
      expect.stringContaining("version_metadata (OTHER): add the binding"),
    ]);
  });
});
