/** What a project adds to wrangler.jsonc is not in the file that the suites' own accounts and copies work with. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { applyEdits, modify, parse } from "jsonc-parser";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { asShipped, WORKER_FILE } from "../worker-file.ts";

const shipped = asShipped(readFileSync(join(ROOT, WORKER_FILE), "utf8"));

/** The file with more in it. */
const adding = (...more: readonly (readonly [path: readonly (string | number)[], value: unknown])[]): string =>
  more.reduce((text, [path, value]) => applyEdits(text, modify(text, [...path], value, {})), shipped);

it("is as it comes, whatever a project binds to", () => {
  const { bindings } = parse(shipped).durable_objects;
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
    [["durable_objects", "bindings", bindings.length], { name: "SEAT", class_name: "Seat", script_name: "seats" }],
  );
  expect(own).toContain("auth");
  expect(parse(asShipped(own))).toEqual(parse(shipped));
});

it("keeps what the code is bundled by, the project's own classes, and what `wrangler dev` is told", () => {
  const own = adding(
    [["compatibility_flags"], ["nodejs_compat"]],
    [["alias"], { one: "./two.ts" }],
    [["vars", "SETTINGS", "corsOrigins"], ["http://localhost:5173"]],
    [["durable_objects", "bindings", 0], { name: "OWN", class_name: "Own" }],
  );
  expect(asShipped(own)).toBe(own);
});
