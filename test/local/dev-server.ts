/** `npm run dev` of a copy of the project, for a test. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";

/** Of a save that is not done yet, where nothing looks. */
const SAVED = ".cache/saved";
const ANY_PORTS = "--port 0 --inspector-port 0";
export const DEV = `exec node infra/commands/dev.ts ${ANY_PORTS}`;

export class DevServer {
  readonly project: ProjectCopy;
  readonly terminal: Terminal;
  /** How much of the output was looked at. */
  #seen = 0;
  /** Where it serves. */
  url = "";

  /** Starts in that project, which may not be ready for it. */
  constructor(project = new ProjectCopy(), command = DEV) {
    this.project = project;
    this.terminal = new Terminal(project.start(command, { detached: true }));
  }

  /** Waits until it says that, after what was waited for before. Returns what it said until then. */
  async says(text: string | RegExp): Promise<string> {
    const isSaid = (said: string) => (typeof text === "string" ? said.includes(text) : text.test(said));
    const all = await this.terminal.printed((printed) => isSaid(printed.slice(this.#seen)));
    const said = all.slice(this.#seen);
    if (!isSaid(said)) throw new Error(`It ended, and never said ${text}:\n${all}`);
    this.#seen = all.length;
    return said;
  }

  /** Waits until it serves. */
  async ready(): Promise<this> {
    const [, url = ""] = /Ready on (\S+)\n/.exec(await this.says(/Ready on \S+\n/)) ?? [];
    this.url = url;
    return this;
  }

  /** Saves a file, whole at once, and waits until it says that. */
  async onSave(file: string, text: string, said: string | RegExp): Promise<string> {
    this.project.write(SAVED, text);
    renameSync(join(this.project.root, SAVED), join(this.project.root, file));
    return this.says(said);
  }

  /** The body of its answer. @throws where nothing answers. */
  async ask(path: string): Promise<string> {
    return (await fetch(new URL(path, this.url))).text();
  }

  async stop(): Promise<void> {
    await this.terminal.stop();
    this.project.remove();
  }
}
