/** A project as it is, and as it will be: edits are gathered here, and nothing is written before all are known. */

/** The files of a project, by their paths in it. */
export interface ProjectFiles {
  /** A file's text; undefined where there is none. */
  read(file: string): string | undefined;
  /** Whether there is such a folder. */
  has(folder: string): boolean;
}

/** What a file, or a whole folder, is afterwards. */
export interface Change {
  readonly path: string;
  /** The new text; undefined where it is removed. */
  readonly text: string | undefined;
  /** What is other than before, for a person. */
  readonly what: readonly string[];
}

export class Draft {
  readonly #before: ProjectFiles;
  readonly #changes = new Map<string, Change>();

  constructor(before: ProjectFiles) {
    this.#before = before;
  }

  /** A file's text as it will be. */
  read(file: string): string | undefined {
    if (this.#changes.has(file)) return this.#changes.get(file)?.text;
    return this.#isInRemoved(file) ? undefined : this.#before.read(file);
  }

  has(folder: string): boolean {
    return this.#before.has(folder);
  }

  /** Changes a file that is there; `what` says it, and is left out where the text stays the same. */
  edit(file: string, what: string, change: (text: string) => string): void {
    const before = this.read(file);
    if (before === undefined) return;
    const text = change(before);
    if (text !== before) this.#note(file, text, what);
  }

  /** Puts a new file where none is. @throws Error where there is one. */
  create(file: string, text: string): void {
    if (this.read(file) !== undefined) throw new Error(`There is a file ${file} already.`);
    this.#note(file, text, "new");
  }

  /** Takes out a file, or a folder (its path ends with a slash), that is there. */
  remove(path: string, why: string): void {
    const there = path.endsWith("/") ? this.#before.has(path) : this.#before.read(path) !== undefined;
    if (there) this.#note(path, undefined, `removed: ${why}`);
  }

  /** All changes: the edits, then what is removed. */
  get changes(): readonly Change[] {
    const all = [...this.#changes.values()];
    return [...all.filter(({ text }) => text !== undefined), ...all.filter(({ text }) => text === undefined)];
  }

  #isInRemoved(file: string): boolean {
    return [...this.#changes.values()].some(
      ({ path, text }) => text === undefined && path.endsWith("/") && file.startsWith(path),
    );
  }

  #note(path: string, text: string | undefined, what: string): void {
    this.#changes.set(path, { path, text, what: [...(this.#changes.get(path)?.what ?? []), what] });
  }
}
