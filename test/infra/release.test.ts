/** A release: the same bytes from the same source, and refused if it is not complete. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { replay } from "@durable-stack/class-lifecycle";
import { Header } from "tar";
import * as v from "valibot";
import { beforeAll, describe, expect, it } from "vitest";
import * as wrangler from "wrangler";
import { migrations } from "../../infra/migrations.ts";
import { dirtyFindings } from "../../infra/plan/rules/dirty-release.ts";
import { buildRelease } from "../../infra/release/build.ts";
import { Extras } from "../../infra/release/extras.ts";
import { filesOf, readFiles } from "../../infra/release/files.ts";
import {
  digestOf,
  MAIN_MODULE,
  MANIFEST,
  type Manifest,
  releaseDigest,
  SBOM,
  SOURCE_MAP,
} from "../../infra/release/manifest.ts";
import { buildPage } from "../../infra/release/page.ts";
import { readRelease } from "../../infra/release/read.ts";
import { ROOT } from "../../infra/release/root.ts";
import { sbomOf } from "../../infra/release/sbom.ts";
import { checkSize, compressedSize } from "../../infra/release/size.ts";
import { sourceOf } from "../../infra/release/source.ts";
import { sourceMapOf } from "../../infra/release/source-map.ts";
import { staleLine } from "../../infra/release/stale.ts";
import { packed, unpacked } from "../../infra/release/tarball.ts";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";
import { scratch } from "../scratch.ts";
import { asShipped, shippedConfig, WORKER_FILE } from "../worker-file.ts";

const dir = scratch();
beforeAll(async () => {
  await buildRelease(join(dir, "one"), sourceOf(ROOT), shippedConfig());
});

describe("building", () => {
  it("names its files in its manifest", () => {
    const release = readRelease(join(dir, "one"));
    const classes = [...replay(migrations).keys()].sort();
    expect(release.classes).toEqual(classes);
    expect(release.bindings.map(({ className }) => className).sort()).toEqual(classes);
    expect(release.migration.step).toBe(migrations.at(-1)?.name);
    // A commit and its time, or neither, because a copy of the project may not be a git checkout.
    expect(release.committed === null).toBe(release.commit === null);
    if (release.committed !== null) expect(Date.parse(release.committed)).toBeGreaterThan(Date.parse("2026-01-01"));
  });

  it("keeps the source map of its own bundle, and has none for another", () => {
    const one = join(dir, "one");
    const [bundle, map] = [MAIN_MODULE, SOURCE_MAP].map((name) => readFileSync(join(one, name)));
    expect(sourceMapOf(digestOf(bundle ?? ""), one)).toEqual(map);
    expect(sourceMapOf(digestOf("another"), one)).toBeUndefined();
    expect(sourceMapOf(digestOf(bundle ?? ""), join(dir, "none"))).toBeUndefined();
  });

  it("makes the same bytes in another folder, for another user, on another day, with changes around it", async () => {
    const [here, there] = [new ProjectCopy(), new ProjectCopy()];
    try {
      here.commit("v1");
      there.commit("v1");
      there.write("notes of mine.txt", "not part of the Worker");
      here.write("Pulumi.staging.yaml", `${here.read("Pulumi.staging.yaml")}  rollout: 10\n`);
      const later = "data:text/javascript,const now = Date.now; Date.now = () => now() + 172800000";
      const home = join(dir, "home");
      mkdirSync(home);
      const env = {
        HOME: home,
        TZ: "Pacific/Auckland",
        LANG: "tr_TR.UTF-8",
        NODE_OPTIONS: `--import=${JSON.stringify(later)}`,
      };
      for (const [project, command, more] of [
        [here, "npm run -s build", {}],
        [there, "umask 077; npm run -s build", env],
      ] as const) {
        expect(await project.run(command, { env: more })).toMatchObject({ code: 0 });
      }
      const read = ({ root }: ProjectCopy, file: string) => readFileSync(join(root, "dist/release", file), "utf8");
      const manifestOf = (project: ProjectCopy): Manifest => JSON.parse(read(project, MANIFEST));
      for (const file of [MAIN_MODULE, SBOM]) expect(read(there, file) === read(here, file), file).toBe(true);
      const [one, other] = [manifestOf(here), manifestOf(there)];
      expect(other.digest).toBe(one.digest);
      expect([one.dirty, other.dirty]).toEqual([false, true]);
      // The map names the files of node_modules, which these copies have elsewhere.
      const comparable = ({ commit, committed, dirty, attached, ...rest }: Manifest) => rest;
      expect(comparable(other)).toEqual(comparable(one));
    } finally {
      here.remove();
      there.remove();
    }
  });

  it("twice at once leaves one whole release", async () => {
    const folder = join(dir, "at once");
    await Promise.all(Array.from({ length: 4 }, () => buildRelease(folder, sourceOf(ROOT), shippedConfig())));
    expect(readRelease(folder).digest).toBe(readRelease(join(dir, "one")).digest);
    expect(readdirSync(dir).filter((name) => name.startsWith("at once"))).toEqual(["at once"]);
  });
});

describe("this checkout's own release", () => {
  it("is told to be of older files once a file has changed that it was built from, and no other", () => {
    const root = join(dir, "checkout");
    for (const part of ["worker", "contract"]) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    writeFileSync(join(root, WORKER_FILE), asShipped(readFileSync(join(ROOT, WORKER_FILE), "utf8")));
    cpSync(join(dir, "one"), join(root, "dist/release"), { recursive: true });
    // A fresh checkout has no file that a build makes.
    rmSync(join(root, "worker/page/assets.gen.js"), { force: true });
    const release = readRelease(join(root, "dist/release"));
    const told = () => staleLine(release, root);
    const change = (file: string, from: string, to: string) => {
      const text = readFileSync(join(root, file), "utf8");
      expect(text).toContain(from);
      writeFileSync(
        join(root, file),
        text.replace(from, () => to),
      );
    };
    // With `nodejs_compat` the bundler makes up modules for Node's own, which are no files.
    const map = join(root, "dist/release", `${MAIN_MODULE}.map`);
    const { sources, sourcesContent, ...rest } = JSON.parse(readFileSync(map, "utf8"));
    const madeUp = { sources: [...sources, "required-built-in:buffer"], sourcesContent: [...sourcesContent, "export"] };
    writeFileSync(map, JSON.stringify({ ...rest, ...madeUp }));
    writeFileSync(join(root, "README.md"), "changed");
    change("wrangler.jsonc", "{", "// A comment makes no other release.\n{");
    expect(told()).toBeUndefined();

    const [first] = release.bindings;
    change("wrangler.jsonc", `"class_name": "${first?.className}"`, `"class_name": "Another"`);
    expect(told()).toMatch(/dist\/release, which was built before wrangler\.jsonc changed\. .*: npm run build$/);
    writeFileSync(join(root, "worker/index.ts"), "");
    expect(told()).toContain("built before worker/index.ts and 1 more changed");
    // `npm run build` would not replace it.
    expect(staleLine(readRelease(join(dir, "one")), root)).toBeUndefined();
  });

  it("is not told to be of older files for the modules that set Node's globals, which are no files", async () => {
    const root = join(dir, "node globals");
    for (const part of ["worker", "contract"]) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    const own = join(root, "dist/release");
    // Of this date the Worker's runtime does not have all of them.
    const node = { compatibility_date: "2024-09-23", compatibility_flags: ["nodejs_compat"] };
    await buildRelease(own, sourceOf(ROOT), { ...shippedConfig(), ...node });
    const { sources } = JSON.parse(readFileSync(join(own, SOURCE_MAP), "utf8"));
    expect(sources.filter((name: string) => name.includes("node-globals:"))).not.toEqual([]);
    expect(staleLine(readRelease(own), root)).toBeUndefined();
  });
});

/** The packages of these files. */
function packagesOf(files: readonly string[]): string[] {
  const packages = files.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
  return [...new Set(packages)].sort();
}

describe("the bill of materials", () => {
  const bill = () => JSON.parse(readFileSync(join(dir, "one", SBOM), "utf8"));

  it("has what the Worker and its page import, as the lock file has it, and nothing else", async () => {
    const lockfile = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const names = bill().components.map(({ name }: { name: string }) => name);
    const { sources } = JSON.parse(readFileSync(join(dir, "one", `${MAIN_MODULE}.map`), "utf8"));
    expect(names).toEqual(packagesOf([...sources, ...(await buildPage(patterns)).inputs]));
    expect(names).toEqual(expect.arrayContaining(["hono", "valibot"]));
    for (const { name, version, purl, hashes } of bill().components) {
      const locked = lockfile.packages[`node_modules/${name}`];
      expect([version, purl]).toEqual([locked.version, `pkg:npm/${name}@${locked.version}`]);
      expect(`sha512-${Buffer.from(hashes[0].content, "hex").toString("base64")}`).toBe(locked.integrity);
    }
    expect(bill().metadata.component.hashes).toEqual([
      { alg: "SHA-256", content: readRelease(join(dir, "one")).digest },
    ]);
  });

  it("names nested and scoped packages, and refuses one that the lock file does not have", () => {
    const entry = { version: "1.2.3", license: "(MIT OR Apache-2.0)" };
    const lockfile = { packages: { "node_modules/@a/b": entry, "node_modules/c/node_modules/d": entry } };
    const given = { project: { name: "p", version: "1.0.0" }, digest: "0", tools: {}, lockfile };
    const inputs = ["worker/index.ts", "../x/node_modules/@a/b/index.js", "node_modules/c/node_modules/d/d.js"];
    const { components } = JSON.parse(sbomOf({ ...given, inputs }));
    expect(components.map(({ purl }: { purl: string }) => purl)).toEqual(["pkg:npm/%40a/b@1.2.3", "pkg:npm/d@1.2.3"]);
    expect(components[0].licenses).toEqual([{ expression: "(MIT OR Apache-2.0)" }]);
    expect(() => sbomOf({ ...given, inputs: ["node_modules/e/e.js"] })).toThrow(/node_modules\/e, which package-lock/);
  });
});

describe("one file", () => {
  const fileWith = (bytes: Uint8Array) => {
    const path = join(dir, `${randomBytes(4).toString("hex")}.tar.gz`);
    writeFileSync(path, bytes);
    return path;
  };
  const packedRelease = () => packed(readFiles(join(dir, "one")).files);

  it("has the same release, and the same bytes each time", () => {
    const path = fileWith(packedRelease());
    expect(filesOf(path, unpacked(path)).manifest).toEqual(readFiles(join(dir, "one")).manifest);
    expect(packedRelease()).toEqual(packedRelease());
    const listed = execFileSync("tar", ["-tzf", path], { encoding: "utf8" }).trim().split("\n");
    expect(listed).toEqual([MAIN_MODULE, SOURCE_MAP, MANIFEST, SBOM].sort());
  });

  it("has names in any script, and long ones, which tar reads too", () => {
    const names = [
      "index.js",
      "1234-grüße.txt",
      `${"deep/".repeat(30)}${"long".repeat(30)}.txt`,
      `${"語".repeat(60)}.txt`,
    ];
    const files = new Map(names.sort().map((name) => [name, Buffer.from(name)]));
    const path = fileWith(packed(files));
    expect([...unpacked(path)].map(([name, contents]) => [name, String(contents)])).toEqual(
      names.map((name) => [name, name]),
    );
    const folder = mkdtempSync(join(dir, "names-"));
    execFileSync("tar", ["-xzf", path, "-C", folder]);
    for (const name of names) expect(readFileSync(join(folder, name), "utf8")).toBe(name);
    expect(packed(files)).toEqual(packed(files));
  });

  it("is unpacked in the place of a release, and of nothing else", async () => {
    const copy = new ProjectCopy();
    try {
      const file = fileWith(packedRelease());
      const unpack = (folder: string) => copy.run(`node infra/commands/release.ts unpack ${file} ${folder}`);
      for (const folder of ["dist/new", "dist/new"]) {
        const { code, text } = await unpack(folder);
        expect(code, text).toBe(0);
      }
      const damaged = join(copy.root, "dist/new", MAIN_MODULE);
      writeFileSync(damaged, "");
      expect(await unpack("dist/new")).toMatchObject({ code: 0 });
      expect(readFileSync(damaged).length).toBeGreaterThan(0);
      for (const [folder, why] of [
        [".", "has this project in it"],
        ["..", "has this project in it"],
        ["worker", "something other than a release"],
        ["README.md", "is a file"],
      ] as const) {
        const { code, text } = await unpack(folder);
        expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining(why) });
      }
      expect(copy.read("worker/index.ts")).toContain("export");
      const packed = await copy.run("node infra/commands/release.ts pack dist/new --out no/such/folder.tar.gz");
      expect(packed).toMatchObject({
        code: 1,
        text: expect.stringMatching(/^.*folder\.tar\.gz cannot be written: there is no such file or folder \(ENOENT/),
      });
    } finally {
      copy.remove();
    }
  });

  it("is refused with another file, or another content", () => {
    const { files } = readFiles(join(dir, "one"));
    const strange = fileWith(packed(new Map([...files, ["more.js", Buffer.from("")]])));
    expect(() => filesOf(strange, unpacked(strange))).toThrow(/does not name: more\.js/);
    const changed = fileWith(packed(new Map([...files, [SBOM, Buffer.from("{}")]])));
    expect(() => filesOf(changed, unpacked(changed))).toThrow(/sbom\.json has sha256/);
    const without = fileWith(packed(new Map([...files].filter(([name]) => name !== MAIN_MODULE))));
    expect(() => filesOf(without, unpacked(without))).toThrow(/index\.js is missing/);
  });

  it.each([
    ["a path out of its folder", { path: "../evil.js" }, /would be outside/],
    ["a path out of it further down", { path: "a/../../evil.js" }, /would be outside/],
    ["an absolute path", { path: "/etc/evil" }, /would be outside/],
    ["a path of Windows", { path: "C:\\evil" }, /would be outside/],
    ["a link", { path: "index.js", type: "SymbolicLink", linkpath: "/etc/passwd" }, /is a SymbolicLink/],
    ["a hard link", { path: "index.js", type: "Link", linkpath: "manifest.json" }, /is a Link/],
    ["a device", { path: "index.js", type: "CharacterDevice" }, /is a CharacterDevice/],
  ] as const)("is refused with %s", (_, entry, why) => {
    const header = new Header({ type: "File", size: 0, mode: 0o644, mtime: new Date(0), ...entry });
    header.encode();
    const path = fileWith(gzipSync(Buffer.concat([header.block ?? Buffer.alloc(0), Buffer.alloc(1024)])));
    expect(() => unpacked(path)).toThrow(why);
  });

  it("is refused if it is not gzip, is cut off, or grows without end", () => {
    expect(() => unpacked(fileWith(Buffer.from("not gzip")))).toThrow(/is not a release: incorrect header/);
    expect(() => unpacked(fileWith(packedRelease().slice(0, 5_000)))).toThrow(/is not a release/);
    expect(() => unpacked(fileWith(gzipSync(Buffer.alloc(200 * 1_024 * 1_024))))).toThrow(/is not a release: /);
    expect(() => unpacked(join(dir, "nowhere.tar.gz"))).toThrow(/ENOENT/);
  });

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const)("is refused if there is another %s in it, which may be of any size", (_, compress) => {
    const tar = gunzipSync(packed(new Map([["index.js", randomBytes(1_000)]])));
    expect(() => unpacked(fileWith(gzipSync(compress(tar))))).toThrow(/is not a release: it is compressed twice/);
  });
});

describe("a release with changes that are in no commit", () => {
  const commit = "c".repeat(40);
  const against = (settings: object, source: object) =>
    dirtyFindings(
      { stack: "production", protect: true, allowDirtyRelease: undefined, ...settings },
      { digest: "d".repeat(64), commit, ...source },
    ).map(({ code }) => code);

  it("is refused by a protected stack, by its manifest of any format", () => {
    expect(against({}, { dirty: true })).toEqual(["dirty_release"]);
    expect(against({}, { commit: `${commit}-dirty` })).toEqual(["dirty_release"]);
    expect(against({ protect: false }, { dirty: true })).toEqual([]);
    expect(against({}, { dirty: false })).toEqual([]);
  });

  it("passes where the stack names it", () => {
    expect(against({ allowDirtyRelease: "d".repeat(12) }, { dirty: true })).toEqual([]);
    expect(against({ allowDirtyRelease: "any" }, { dirty: true })).toEqual([]);
    expect(against({ allowDirtyRelease: "e".repeat(12) }, { dirty: true })).toEqual(["dirty_release"]);
  });
});

describe("size", () => {
  it("is the sum of all modules, compressed", () => {
    const text = Buffer.from("the same again, ".repeat(10_000));
    expect(compressedSize([text, text])).toBeLessThan(text.byteLength / 100);
  });

  it("is refused if Cloudflare would refuse the Worker, with the fix", () => {
    expect(() => checkSize(64 * 1_024 * 1_024)).not.toThrow();
    expect(() => checkSize(65 * 1_024 * 1_024)).toThrow(
      /too large: .* 65\.0 MiB, and Cloudflare takes 64 MiB\..*Fix: /,
    );
  });
});

describe("reading", () => {
  const broken = (change: (folder: string) => void) => {
    const folder = mkdtempSync(join(dir, "broken-"));
    for (const file of [MAIN_MODULE, MANIFEST, SOURCE_MAP, SBOM])
      copyFileSync(join(dir, "one", file), join(folder, file));
    change(folder);
    return () => readRelease(folder);
  };

  /** Writes the manifest with the digest that belongs to it. */
  const rewrite = (folder: string, content: Omit<Manifest, "digest">) =>
    writeFileSync(join(folder, MANIFEST), JSON.stringify({ ...content, digest: releaseDigest(content) }));

  it("refuses a bundle that differs from the manifest", () => {
    expect(broken((folder) => writeFileSync(join(folder, MAIN_MODULE), "export default {}"))).toThrow(
      /is not whole.*sha256/,
    );
  });

  it("names the wrong field of a manifest, or says that it is not a manifest", () => {
    const manifest = readFileSync(join(dir, "one", MANIFEST), "utf8");
    expect(
      broken((folder) => writeFileSync(join(folder, MANIFEST), manifest.replace('"format": 5', '"format": 3'))),
    ).toThrow(/format/);
    expect(
      broken((folder) => writeFileSync(join(folder, MANIFEST), manifest.replace('"format": 5', '"format": 6'))),
    ).toThrow(/has format 6, and this program reads up to 5: a newer version of the template built it/);
    expect(broken((folder) => writeFileSync(join(folder, MANIFEST), "{"))).toThrow(/is not JSON/);
  });

  it("refuses a further module that differs, is missing, or is outside of the folder", () => {
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

  it("refuses a changed deployment setting: the digest covers these too, but not the commit", () => {
    const { dir: _, digest, ...content } = readRelease(join(dir, "one"));
    const changes: Partial<Manifest>[] = [
      { compatibilityDate: "2026-01-01" },
      { compatibilityFlags: [...content.compatibilityFlags, "another_flag"] },
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

  it("says how to build a release if there is none", () => {
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
