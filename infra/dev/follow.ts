/**
 * What is watched beside the Worker's own folders: the files that it was made of. An import may lead to a workspace, or
 * through an alias or a link to anywhere.
 */
import { dirname } from "node:path/posix";
import { BuildError } from "../release/build-error.ts";

/** What the Worker or the page was last made of, or could not be. */
export class MadeOf {
  #files: ReadonlySet<string> = new Set();
  #isMade = false;

  /** Its files, seen from the project. */
  get files(): ReadonlySet<string> {
    return this.#files;
  }

  /** Whether it was made: where not, what mends that may be a file that is new. */
  get isMade(): boolean {
    return this.#isMade;
  }

  /** Makes it. What it was made of before stays where it cannot be made now. */
  async by<T extends { readonly inputs: readonly string[] }>(make: () => Promise<T>): Promise<T> {
    this.#isMade = false;
    try {
      const made = await make();
      this.#files = new Set(made.inputs);
      this.#isMade = true;
      return made;
    } catch (error) {
      if (error instanceof BuildError) this.#files = new Set([...this.#files, ...error.files]);
      throw error;
    }
  }
}

/** What npm has installed, and modules that are no files: those have a name in front (`required-unenv:…`). */
const NOT_FOLLOWED = /(^|\/)node_modules\/|^[\w-]+:/;

/** The project itself, and folders around it: what else is there is not the Worker's. */
const AROUND = /^\.\.?(\/\.\.)*$/;

export class Followed {
  #files: ReadonlySet<string> = new Set();
  /** The folders on the way to them. */
  #ways: ReadonlySet<string> = new Set();
  /** Folders in which every file counts. */
  #whole: ReadonlySet<string> = new Set();

  /** The folders that must be watched for it. */
  get folders(): Iterable<string> {
    return this.#ways;
  }

  /** Follows these, and no others any more. */
  set(parts: readonly MadeOf[]): void {
    const filesOf = (some: readonly MadeOf[]) =>
      some.flatMap(({ files }) => [...files]).filter((file) => !NOT_FOLLOWED.test(file));
    const all = filesOf(parts);
    const broken = filesOf(parts.filter(({ isMade }) => !isMade));
    this.#files = new Set(all);
    this.#ways = new Set(all.flatMap(wayTo));
    this.#whole = new Set(broken.map(dirname).filter((folder) => !AROUND.test(folder)));
  }

  /** Whether a change of that path is one of what is followed, or may be. */
  wants(path: string): boolean {
    const slashed = path.replaceAll("\\", "/");
    return this.#files.has(slashed) || this.#ways.has(slashed) || this.#whole.has(dirname(slashed));
  }
}

/** The folders on the way from the project to a file, in that order: `..`, `../shared`. */
function wayTo(file: string): readonly string[] {
  const folder = dirname(file);
  return folder === "." ? [] : [...wayTo(folder), folder];
}
