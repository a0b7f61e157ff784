/**
 * Checkouts of the project with the history that a test makes up: the real program with another infra/migrations.ts,
 * and a release of a small Worker that exports the classes of that history.
 */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Migration } from "@durable-stack/class-lifecycle";
import { formatLock, hashes, LOCK_FILE, replay } from "@durable-stack/class-lifecycle";
import {
  digestOf,
  FORMAT,
  MAIN_MODULE,
  MAIN_TYPE,
  MANIFEST,
  type Manifest,
  releaseDigest,
} from "../infra/release/manifest.ts";
import { ROOT } from "../infra/release/root.ts";
import { codeOf } from "../packages/local-account/test/support.ts";

/** A checkout with its built release. */
export interface Checkout {
  /** The project's folder. */
  readonly root: string;
  readonly digest: string;
}

export class Checkouts {
  readonly #dir = mkdtempSync(join(tmpdir(), "durable-stack-checkouts-"));

  /**
   * A checkout whose history is `migrations`. Its Worker has the code of packages/local-account/test/support.ts, with
   * `name` as its tag. Every class is bound under its own name, but for those of `unbound`.
   */
  make(name: string, migrations: readonly Migration[], unbound: readonly string[] = []): Checkout {
    const root = join(this.#dir, name);
    for (const folder of ["infra", "contract", "worker"])
      cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    for (const file of ["package.json", "Pulumi.yaml"]) copyFileSync(join(ROOT, file), join(root, file));
    writeFileSync(
      join(root, "infra/migrations.ts"),
      `export const migrations = ${JSON.stringify(migrations, null, 2)};\n`,
    );
    writeFileSync(join(root, LOCK_FILE), formatLock(migrations));

    const classes = [...replay(migrations).keys()].sort();
    const code = codeOf({ classes, tag: name });
    const content: Omit<Manifest, "digest"> = {
      format: FORMAT,
      modules: [{ name: MAIN_MODULE, contentType: MAIN_TYPE, digest: digestOf(code), size: Buffer.byteLength(code) }],
      classes,
      bindings: classes
        .filter((className) => !unbound.includes(className))
        .map((className) => ({ binding: className, className })),
      compatibilityDate: "2026-11-01",
      compatibilityFlags: [],
      migration: { step: migrations.at(-1)?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
      commit: null,
      committed: null,
    };
    const digest = releaseDigest(content);
    const release = join(root, "dist/release");
    mkdirSync(release, { recursive: true });
    writeFileSync(join(release, MAIN_MODULE), code);
    writeFileSync(join(release, MANIFEST), JSON.stringify({ ...content, digest }));
    return { root, digest };
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
