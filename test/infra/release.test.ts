/** A release: the same bytes from the same source, and refused when it is not whole. */
import { randomBytes } from "node:crypto";
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as wrangler from "wrangler";
import { migrations } from "../../infra/migrations.ts";
import { buildRelease } from "../../infra/release/build.ts";
import { Extras } from "../../infra/release/extras.ts";
import { digestOf, MAIN_MODULE, MANIFEST, type Manifest, releaseDigest } from "../../infra/release/manifest.ts";
import { readRelease } from "../../infra/release/read.ts";
import { ROOT } from "../../infra/release/root.ts";
import { compressedSize } from "../../infra/release/size.ts";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "release-"));
  await buildRelease(join(dir, "one"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("building", () => {
  it("names in its manifest what it built", () => {
    const release = readRelease(join(dir, "one"));
    const classes = [...replay(migrations).keys()].sort();
    expect(release.classes).toEqual(classes);
    expect(release.bindings.map(({ className }) => className).sort()).toEqual(classes);
    expect(release.migration.step).toBe(migrations.at(-1)?.name);
    // A commit and its time, or neither: a copy of the project need not be a git checkout.
    expect(release.committed === null).toBe(release.commit === null);
    if (release.committed !== null) expect(Date.parse(release.committed)).toBeGreaterThan(Date.parse("2026-01-01"));
  });

  it("makes the same bytes again, and from another folder", async () => {
    const elsewhere = join(dir, "another place");
    for (const part of [
      "contract",
      "infra",
      "worker",
      "wrangler.jsonc",
      "package.json",
      "Pulumi.yaml",
      "tsconfig.base.json",
    ])
      cpSync(join(ROOT, part), join(elsewhere, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(elsewhere, "node_modules"));
    const { buildRelease: buildElsewhere }: { buildRelease: typeof buildRelease } = await import(
      join(elsewhere, "infra/release/build.ts")
    );
    const [again, there] = [await buildRelease(join(dir, "two")), await buildElsewhere(join(dir, "three"))];
    const { digest } = readRelease(join(dir, "one"));
    expect([again.manifest.digest, there.manifest.digest]).toEqual([digest, digest]);
  });
});

describe("size", () => {
  it("is what all modules have together, compressed", () => {
    const text = Buffer.from("the same again, ".repeat(10_000));
    expect(compressedSize([text, text])).toBeLessThan(text.byteLength / 100);
  });

  it("is refused where Cloudflare takes no such Worker, with what to do", () => {
    const half = () => randomBytes(5.1 * 1_024 * 1_024);
    expect(() => compressedSize([half(), half()])).toThrow(/too large: .* 10\.2 MiB compressed.* takes 10 MiB.*Fix: /);
  });
});

describe("reading", () => {
  const broken = (change: (folder: string) => void) => {
    const folder = mkdtempSync(join(dir, "broken-"));
    for (const file of [MAIN_MODULE, MANIFEST]) copyFileSync(join(dir, "one", file), join(folder, file));
    change(folder);
    return () => readRelease(folder);
  };

  /** Writes the manifest with the digest that belongs to it. */
  const rewrite = (folder: string, content: Omit<Manifest, "digest">) =>
    writeFileSync(join(folder, MANIFEST), JSON.stringify({ ...content, digest: releaseDigest(content) }));

  it("refuses a bundle that is not the one that the manifest names", () => {
    expect(broken((folder) => writeFileSync(join(folder, MAIN_MODULE), "export default {}"))).toThrow(
      /is not whole.*sha256/,
    );
  });

  it("names the field of a manifest that is wrong, or says that it is none", () => {
    const manifest = readFileSync(join(dir, "one", MANIFEST), "utf8");
    expect(
      broken((folder) => writeFileSync(join(folder, MANIFEST), manifest.replace('"format": 4', '"format": 3'))),
    ).toThrow(/format/);
    expect(broken((folder) => writeFileSync(join(folder, MANIFEST), "{"))).toThrow(/is not JSON/);
  });

  it("refuses a module beside the main one that is another, or is gone, or is outside of the folder", () => {
    const note = { name: "note.txt", contentType: "text/plain", digest: digestOf("note"), size: 4 };
    const withNote = (folder: string, name = note.name) => {
      const { digest: _, dir: __, ...content } = readRelease(folder);
      rewrite(folder, { ...content, modules: [...content.modules, { ...note, name }] });
    };
    const one = (contents: string | undefined) =>
      broken((folder) => {
        withNote(folder);
        if (contents !== undefined) writeFileSync(join(folder, note.name), contents);
      });
    expect(one("note")().modules).toContainEqual(note);
    expect(one("other")).toThrow(/is not whole: note\.txt has sha256/);
    expect(one(undefined)).toThrow(/is not whole: note\.txt is missing/);
    expect(broken((folder) => withNote(folder, "../note.txt"))).toThrow(/must stay inside/);
  });

  it("refuses what was changed of how it is deployed: the digest is of that, too, and not of the commit", () => {
    const { dir: _, digest, ...content } = readRelease(join(dir, "one"));
    const changes: Partial<Manifest>[] = [
      { compatibilityDate: "2026-01-01" },
      { compatibilityFlags: ["nodejs_compat"] },
      { bindings: [] },
      { extras: v.parse(Extras, { vars: { MODE: "loud" } }) },
      { migration: { ...content.migration, history: "0" } },
    ];
    for (const change of changes) {
      const changed = (folder: string) =>
        writeFileSync(join(folder, MANIFEST), JSON.stringify({ ...content, ...change, digest }));
      expect(broken(changed), JSON.stringify(change)).toThrow(/manifest\.json has been changed/);
    }
    expect(releaseDigest({ ...content, commit: "another-dirty", committed: null })).toBe(digest);
  });

  it("says how to build a release where there is none", () => {
    expect(() => readRelease(join(dir, "nowhere"))).toThrow(/npm run build/);
  });
});

describe("wrangler.jsonc", () => {
  const config = wrangler.unstable_readConfig({ config: join(ROOT, "wrangler.jsonc") });

  it("is read by the build as wrangler reads it", () => {
    const ours = readWorkerConfig();
    expect(config.name).toBe(ours.name);
    expect(config.main).toBe(join(ROOT, ours.main));
    expect(config.compatibility_date).toBe(ours.compatibility_date);
    expect(config.compatibility_flags).toEqual(ours.compatibility_flags);
    expect(config.durable_objects.bindings).toEqual(ours.durable_objects.bindings);
  });

  it("exports the classes that the history leaves, with their storage", () => {
    const live = [...replay(migrations)].map(([name, { storage }]) => [name, { type: "durable-object", storage }]);
    expect(config.exports).toEqual(Object.fromEntries(live));
  });
});
