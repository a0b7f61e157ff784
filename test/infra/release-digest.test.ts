/** The digest of a release is of its manifest as it was written, by whatever version of the template. */
import { expect, it } from "vitest";
import { digestOf, MAIN_MODULE, MAIN_TYPE, MANIFEST, releaseDigest } from "../../infra/release/manifest.ts";
import { checkRelease } from "../../infra/release/read.ts";

const MAIN = Buffer.from("export default {};\n");
/** As a build wrote it once. Its digest must stay what it is. */
const CONTENT = {
  format: 5,
  modules: [{ name: MAIN_MODULE, contentType: MAIN_TYPE, digest: digestOf(MAIN), size: MAIN.byteLength }],
  classes: ["Counter"],
  bindings: [{ binding: "COUNTER", className: "Counter" }],
  compatibilityDate: "2026-08-04",
  compatibilityFlags: ["nodejs_compat"],
  extras: {
    vars: { MODE: "loud" },
    services: [],
    kv_namespaces: [],
    r2_buckets: [],
    d1_databases: [],
    ratelimits: [],
    tail_consumers: [],
    objects: [],
  },
  migration: { step: "0001-counter", history: "0123456789abcdef" },
  schemas: { Counter: { steps: ["0a1b2c3d"], needs: 1 } },
  commit: "c".repeat(40),
  committed: "2026-11-30T00:00:00.000Z",
  dirty: false,
  tools: { esbuild: "0.25.0", node: "24.0.0" },
};
const DIGEST = "4593be3f74d83f56702d55456ecfe81197b34c09fe1cdc0f9aaf475f447fd482";

const read = (content: Readonly<Record<string, unknown>>, digest = releaseDigest(content)) =>
  checkRelease("dist/release", (name) => {
    if (name === MANIFEST) return Buffer.from(JSON.stringify({ ...content, digest }));
    return name === MAIN_MODULE ? MAIN : undefined;
  });

it("is what it always was", () => {
  expect(releaseDigest(CONTENT)).toBe(DIGEST);
  expect(read(CONTENT, DIGEST)).toMatchObject({ digest: DIGEST, extras: { vars: { MODE: "loud" } } });
  const { tools, dirty, committed, ...rest } = CONTENT;
  expect(read({ ...rest, format: 4 }, DIGEST).committed).toBe(null);
});

it("is of what the file says, not of what today's program would have written", () => {
  const { tail_consumers, ratelimits, ...before } = CONTENT.extras;
  const older = { ...CONTENT, extras: before };
  expect(read(older).extras).toMatchObject({ vars: { MODE: "loud" }, ratelimits: [], tail_consumers: [] });
  expect(() => read(older, DIGEST)).toThrow(/manifest\.json has been changed/);
});

it.each([
  ["a field", { ...CONTENT, regions: ["eu"] }, "regions"],
  ["a field of the extras", { ...CONTENT, extras: { ...CONTENT.extras, pipelines: [] } }, "extras.pipelines"],
  ["a field in a list", { ...CONTENT, bindings: [{ ...CONTENT.bindings[0], tier: "a" }] }, "bindings.0.tier"],
])("%s that nobody knows here is a newer template's, and no change", (_, newer, unknown) => {
  expect(() => read(newer)).toThrow(`says ${unknown}, which this program does not know: a newer version`);
});
