/** What `npm run dev` watches beside the Worker's own folders. */
import { expect, it } from "vitest";
import { Followed, MadeOf } from "../../infra/dev/follow.ts";
import { BuildError } from "../../infra/release/build-error.ts";

const INPUTS = [
  "worker/index.ts",
  "root.ts",
  "packages/shared/src/index.ts",
  "../../beside/far.ts",
  "node_modules/hono/dist/index.js",
  "../node_modules/yjs/index.js",
  "required-unenv:node:fs",
];

/** What follows a Worker of these files, and of them where it is broken by now. */
async function followed(error?: Error): Promise<Followed> {
  const worker = new MadeOf();
  await worker.by(async () => ({ inputs: INPUTS }));
  if (error) await worker.by(() => Promise.reject(error)).catch(() => {});
  const all = new Followed();
  all.set([worker]);
  return all;
}

it("are the files that it was made of, and the folders on the way to each, but no package", async () => {
  const all = await followed();
  expect([...all.folders]).toEqual([
    "worker",
    "packages",
    "packages/shared",
    "packages/shared/src",
    "..",
    "../..",
    "../../beside",
  ]);
  for (const path of ["root.ts", "../../beside/far.ts", "packages/shared/src", "packages\\shared\\src\\index.ts"])
    expect(all.wants(path), path).toBe(true);
  for (const path of [
    "other.ts",
    "packages/shared/src/other.ts",
    "../other",
    "node_modules",
    "../node_modules/yjs/index.js",
  ])
    expect(all.wants(path), path).toBe(false);
});

it("where it does not build, are also new files beside these and beside what is broken, but not the project's", async () => {
  const all = await followed(new BuildError("It does not build", { files: ["another/broken.ts"] }));
  for (const path of ["packages/shared/src/other.ts", "../../beside/other.ts", "another/other.ts", "root.ts"])
    expect(all.wants(path), path).toBe(true);
  for (const path of ["other.ts", "packages/other.ts", "../other.ts", "../../other.ts"])
    expect(all.wants(path), path).toBe(false);
});
