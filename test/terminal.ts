/** A command that runs in another terminal, and its output. */
import { once } from "node:events";
import type { ProjectCopy } from "./project-copy.ts";

export class Terminal {
  readonly #child: ReturnType<ProjectCopy["start"]>;
  readonly #ended: Promise<unknown>;
  #text = "";
  #over = false;
  #news = Promise.withResolvers<void>();

  constructor(child: ReturnType<ProjectCopy["start"]>) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => this.#tell(chunk));
    }
    this.#ended = once(child, "close").then(() => {
      this.#over = true;
      this.#tell("");
    });
  }

  /** The output so far. */
  get text(): string {
    return this.#text;
  }

  /** Waits until the output is enough, or the command ends. Returns the output. */
  async printed(isEnough: (text: string) => boolean): Promise<string> {
    while (!this.#over && !isEnough(this.#text)) await this.#news.promise;
    return this.#text;
  }

  /** Sends Ctrl-C, and waits for the end. */
  async stop(): Promise<void> {
    // To the whole process group, like a terminal.
    if (!this.#over && this.#child.pid !== undefined) process.kill(-this.#child.pid, "SIGINT");
    await this.#ended;
  }

  /** Ends the command itself as nothing can prevent, and waits for its end. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #tell(chunk: string): void {
    this.#text += chunk;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
