/**
 * Static assets on disk. `files/` has the contents, each once, under their SHA-256. `sets/` has the folders that
 * Miniflare serves: hard links to the contents under the paths of a manifest, which take no space. `served/` has a link
 * to a set for each service.
 *
 * Contents are written before the account refers to them, and removed after it no longer does. So a kill can only leave
 * unused files. `sets/` and `served/` follow from the state and are made when they are needed.
 */
import { link, mkdir, open, readdir, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { digest, newTag } from "../ids.ts";
import type { AssetsConfig } from "../model.ts";

/** A folder to serve: files by path, and the two files of rules. */
export interface AssetSet {
  /** The service that serves it. */
  readonly service: string;
  /** Two sets with the same manifest have the same files. */
  readonly manifest: string;
  readonly config: AssetsConfig;
}

type ContentsOf = (manifest: string) => Iterable<readonly [path: string, sha256: string]>;

/** Miniflare reads files with these names as rules for the others, so an asset cannot have such a name. */
const RULES = { headers: "_headers", redirects: "_redirects", ignored: ".assetsignore" } as const;

/** How many files to link at a time. */
const AT_ONCE = 64;

export class AssetFiles {
  readonly #files: string;
  readonly #sets: string;
  readonly #served: string;
  /** Contents that are on disk, but that the account does not refer to yet. */
  readonly #arriving = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#files = path.join(directory, "files");
    this.#sets = path.join(directory, "sets");
    this.#served = path.join(directory, "served");
  }

  /** Keeps the contents while `work` runs. Afterwards they stay only if the account refers to them. */
  async keep<T>(contents: readonly Uint8Array[], work: (sha256: readonly string[]) => Promise<T>): Promise<T> {
    const names = contents.map(digest);
    for (const name of names) this.#arriving.set(name, (this.#arriving.get(name) ?? 0) + 1);
    try {
      await this.#inTurn(async () => {
        await mkdir(this.#files, { recursive: true });
        await Promise.all(contents.map((bytes, index) => this.#write(names[index] ?? digest(bytes), bytes)));
      });
      return await work(names);
    } finally {
      for (const name of names) {
        const others = (this.#arriving.get(name) ?? 1) - 1;
        if (others === 0) this.#arriving.delete(name);
        else this.#arriving.set(name, others);
      }
    }
  }

  /** The folder of a service's assets. Its name never changes, so that an unchanged file keeps its ETag. */
  folderOf(service: string): string {
    return path.join(this.#served, service);
  }

  /** Makes the folders of these sets. `contentsOf` returns the SHA-256 of each path of a manifest. */
  layOut(sets: readonly AssetSet[], contentsOf: ContentsOf): Promise<void> {
    return this.#inTurn(() => this.#layOut(sets, contentsOf));
  }

  /** Removes the folders of all other sets. */
  prune(sets: readonly AssetSet[]): Promise<void> {
    return this.#inTurn(async () => {
      await removeAllBut(this.#served, new Set(sets.map(({ service }) => service)));
      await removeAllBut(this.#sets, new Set(sets.map(nameOf)));
    });
  }

  /** Removes unused contents. */
  sweep(used: ReadonlySet<string>): Promise<void> {
    return this.#inTurn(() => removeAllBut(this.#files, new Set([...used, ...this.#arriving.keys()])));
  }

  /**
   * One after the other: a sweep would remove what a write has found to be there, and a workerd that takes a crashed
   * one's place has other folders than the one that a deployment starts meanwhile.
   */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work, work);
    this.#last = turn;
    return turn;
  }

  async #layOut(sets: readonly AssetSet[], contentsOf: ContentsOf): Promise<void> {
    if (sets.length > 0) await mkdir(this.#served, { recursive: true });
    for (const set of sets) {
      const folder = path.join(this.#sets, nameOf(set));
      if (!(await exists(folder))) await this.#fill(folder, set.config, contentsOf(set.manifest));
      const pointer = `${this.folderOf(set.service)}~`;
      await rm(pointer, { force: true });
      await symlink(path.relative(this.#served, folder), pointer);
      await rename(pointer, this.folderOf(set.service));
    }
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const file = path.join(this.#files, name);
    if (await exists(file)) return;
    const unfinished = `${file}.${newTag()}`;
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Miniflare computes a file's ETag from its path and this time.
    const time = Number.parseInt(name.slice(0, 10), 16) / 1_000;
    await utimes(unfinished, time, time);
    await rename(unfinished, file);
  }

  async #fill(folder: string, config: AssetsConfig, contents: Iterable<readonly [string, string]>): Promise<void> {
    const unfinished = `${folder}~`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    const assets = [...contents].filter(([at]) => !Object.values<string>(RULES).includes(at.slice(1)));
    for (const parent of new Set(assets.map(([at]) => path.join(unfinished, path.dirname(at)))))
      await mkdir(parent, { recursive: true });
    for (let done = 0; done < assets.length; done += AT_ONCE)
      await Promise.all(
        assets
          .slice(done, done + AT_ONCE)
          .map(([at, sha256]) => link(path.join(this.#files, sha256), path.join(unfinished, at))),
      );
    for (const kind of ["headers", "redirects"] as const) {
      const text = config[kind];
      if (text !== undefined) await writeFile(path.join(unfinished, RULES[kind]), text);
    }
    await rename(unfinished, folder);
  }
}

const nameOf = ({ manifest, config: { headers, redirects } }: AssetSet): string =>
  digest(JSON.stringify([manifest, headers ?? null, redirects ?? null]));

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

async function removeAllBut(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (!kept.has(name)) await rm(path.join(folder, name), { recursive: true, force: true });
}
