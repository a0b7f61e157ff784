/** What of a project's own wrangler.jsonc is in the files that the suites' own accounts and copies work with. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { applyEdits, modify, parse } from "jsonc-parser";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { asShipped, selfContained, WORKER_FILE } from "../worker-file.ts";

const shipped = asShipped(readFileSync(join(ROOT, WORKER_FILE), "utf8"));

/** The file with more in it. */
const adding = (...more: readonly (readonly [path: readonly (string | number)[], value: unknown])[]): string =>
  more.reduce((text, [path, value]) => applyEdits(text, modify(text, [...path], value, {})), shipped);

const { bindings } = parse(shipped).durable_objects;
const last = ["durable_objects", "bindings", bindings.length];

it("is as it comes, whatever a project binds to", () => {
  const own = adding(
    [["services"], [{ binding: "AUTH", service: "auth" }]],
    [["tail_consumers"], [{ service: "logs" }]],
    [["queues"], { producers: [{ binding: "MAILS", queue: "mails" }] }],
    [["triggers"], { crons: ["0 * * * *"] }],
    [["d1_databases"], [{ binding: "DB" }]],
    [["kv_namespaces"], [{ binding: "READS" }, { binding: "USERS" }]],
    [["r2_buckets"], [{ binding: "UPLOADS" }, { binding: "BLOBS" }]],
    [["observability", "head_sampling_rate"], 0.1],
    [["vars", "GREETING"], "hello"],
    [last, { name: "SEAT", class_name: "Seat", script_name: "seats" }],
  );
  expect(own).toContain("auth");
  expect(parse(asShipped(own))).toEqual(parse(shipped));
});

it("for a copy of the project has all but what leads out of it", () => {
  const inside = adding(
    [["kv_namespaces"], [{ binding: "READS" }, { binding: "USERS" }]],
    [["r2_buckets"], [{ binding: "UPLOADS" }, { binding: "BLOBS" }]],
    [["d1_databases"], [{ binding: "DB", database_name: "own", migrations_dir: "sql" }]],
    [["ratelimits"], [{ name: "LIMIT", namespace_id: "7", simple: { limit: 2, period: 60 } }]],
    [["triggers"], { crons: ["0 * * * *"] }],
    [["limits"], { cpu_ms: 50 }],
    [["observability", "head_sampling_rate"], 0.1],
    [["vars", "GREETING"], "hello"],
  );
  expect(selfContained(inside)).toBe(inside);
  const leading = [
    [["services"], [{ binding: "AUTH", service: "auth" }]],
    [["tail_consumers"], [{ service: "logs" }]],
    [["queues"], { producers: [{ binding: "MAILS", queue: "mails" }] }],
    [last, { name: "SEAT", class_name: "Seat", script_name: "seats" }],
    [["kv_namespaces", 1, "id"], "0123456789abcdef0123456789abcdef"],
    [["r2_buckets", 0, "bucket_name"], "by-hand"],
    [["d1_databases", 0, "database_id"], "01234567-89ab-4cde-8f01-23456789abcd"],
    [["d1_databases", 0, "remote"], true],
  ] as const;
  const own = leading.reduce((text, [path, value]) => applyEdits(text, modify(text, [...path], value, {})), inside);
  expect(parse(selfContained(own))).toEqual(parse(inside));
});

it("keeps what the code is bundled by, the project's own classes, and what `wrangler dev` is told", () => {
  const own = adding(
    [["compatibility_flags"], ["nodejs_compat"]],
    [["alias"], { one: "./two.ts" }],
    [["vars", "SETTINGS", "corsOrigins"], ["http://localhost:5173"]],
    [["durable_objects", "bindings", 0], { name: "OWN", class_name: "Own" }],
  );
  expect(asShipped(own)).toBe(own);
  expect(selfContained(own)).toBe(own);
});
