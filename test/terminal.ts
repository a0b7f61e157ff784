/** A command that goes on running while the reader does something else, and what it has printed. */
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

  /** What has been printed so far. */
  get text(): string {
    return this.#text;
  }

  /** What has been printed once it is what was waited for, or all there ever was. */
  async printed(isEnough: (text: string) => boolean): Promise<string> {
    while (!this.#over && !isEnough(this.#text)) await this.#news.promise;
    return this.#text;
  }

  /** Ctrl-C, and the end. */
  async stop(): Promise<void> {
    // To the whole group, as a terminal does it.
    if (!this.#over && this.#child.pid !== undefined) process.kill(-this.#child.pid, "SIGINT");
    await this.#ended;
  }

  #tell(chunk: string): void {
    this.#text += chunk;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
