/** A copy of this project for a test to change: the files that git tracks or would add, with these node_modules. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { ROOT } from "../infra/release/root.ts";
import { STACK_FILES } from "./stack-files.ts";
import { userEnvironment } from "./user-environment.ts";
import { asShipped, selfContained, WORKER_FILE } from "./worker-file.ts";

/** A command's exit code and output. */
export interface Ended {
  readonly code: number | null;
  readonly text: string;
}

export interface CommandOptions {
  /** Relative to the project. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In a process group of its own, as in another terminal. */
  readonly detached?: boolean;
}

export class ProjectCopy {
  readonly #dir = realpathSync(mkdtempSync(join(tmpdir(), "durable-stack-copy-")));
  readonly root: string;

  /**
   * @param from another copy, of which this is a fresh checkout: what it has committed.
   * @param name of its folder.
   */
  constructor(from?: ProjectCopy, name = "project") {
    this.root = join(this.#dir, name);
    if (from) {
      git(this.#dir, "clone", "-q", from.root, this.root);
      this.#excludeLinks();
    } else copyFiles(this.root);
    symlinkSync(join(ROOT, "node_modules"), join(this.root, "node_modules"), "junction");
  }

  /** Makes it a git repository with one commit and a tag. */
  commit(tag: string): void {
    git(this.root, "init", "-q");
    this.#excludeLinks();
    git(this.root, "config", "user.name", "test");
    git(this.root, "config", "user.email", "test@example.com");
    for (const signs of ["commit.gpgsign", "tag.gpgsign"]) git(this.root, "config", signs, "false");
    git(this.root, "add", "--all");
    git(this.root, "commit", "-q", "-m", tag);
    git(this.root, "tag", tag);
  }

  /** Git's `node_modules/` is a folder, and here it is a link. */
  #excludeLinks(): void {
    appendFileSync(join(this.root, ".git/info/exclude"), "node_modules\n.cache\n");
  }

  /** Undoes all changes since the commit. */
  reset(): void {
    git(this.root, "reset", "-q", "--hard");
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), "utf8");
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  /** Replaces a text, which must be there, by another. */
  replace(file: string, from: string, to: string): void {
    const text = this.read(file);
    if (!text.includes(from)) throw new Error(`${file} does not have: ${from}`);
    this.write(
      file,
      text.replaceAll(from, () => to),
    );
  }

  /** Leaves out what was added to wrangler.jsonc: for a test that counts what is made, or names it. */
  bindAsShipped(): void {
    this.write(WORKER_FILE, asShipped(this.read(WORKER_FILE)));
  }

  /** Starts a shell command as a user would, with the project's own programs first on the PATH. */
  start(
    command: string,
    { folder = ".", env = {}, detached = false }: CommandOptions = {},
  ): ChildProcessByStdio<null, Readable, Readable> {
    const path = [join(this.root, "node_modules/.bin"), process.env.PATH].join(delimiter);
    return spawn("bash", ["-euo", "pipefail", "-c", command], {
      cwd: join(this.root, folder),
      env: { ...userEnvironment(), ...env, PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
      detached,
    });
  }

  /** Runs a command to its end. */
  async run(command: string, options?: CommandOptions): Promise<Ended> {
    const child = this.start(command, options);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
    }
    const [code] = await once(child, "close");
    return { code: typeof code === "number" ? code : null, text };
  }

  remove(): void {
    // A process that a test has just ended may still write its last file.
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/**
 * Copies only the files that git tracks or would add to `folder`: the stacks' files as they come, and wrangler.jsonc without
 * what leads out of the project. Returns their names.
 */
export function copyFiles(folder: string): readonly string[] {
  const names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard");
  const files = names.split("\0").filter((name) => name !== "" && existsSync(join(ROOT, name)));
  for (const file of files) cpSync(join(ROOT, file), join(folder, file));
  for (const [file, text] of STACK_FILES) if (files.includes(file)) writeFileSync(join(folder, file), text);
  const worker = join(folder, WORKER_FILE);
  writeFileSync(worker, selfContained(readFileSync(worker, "utf8")));
  return files;
}

const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", args, { cwd, encoding: "utf8", env: userEnvironment() });
