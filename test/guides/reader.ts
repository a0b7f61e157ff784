/**
 * Follows a guide to the letter in a copy of the project. Only the ports differ, which are any free ones, and the
 * project's name, which replaces durable-stack.
 */
import { projectName } from "../../infra/stack/project.ts";
import { freePort } from "../free-port.ts";
import { inTime } from "../in-time.ts";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";
import { missing, type Scenario, type Step } from "./guide.ts";

/** What the guides call the last release. */
const RELEASED = "v1";

/**
 * Follows `scenario` from the unchanged project, released as v1, unless the guide itself gives it this tag, or imports
 * a history, which takes the place of none that was released.
 * @throws Error if a step does not go as it says.
 */
export async function follow({ steps }: Pick<Scenario, "steps">): Promise<void> {
  const unreleased = [`git tag ${RELEASED} `, "npm run -s migrations -- import "];
  const isReleased = !steps.some(
    (step) => step.do === "run" && unreleased.some((begin) => step.command.startsWith(begin)),
  );
  const reader = new Reader(await freePort(), await freePort(), isReleased ? RELEASED : "before");
  try {
    for (const step of steps) await reader.follow(step);
  } finally {
    await reader.leave();
  }
}

/** How long a step may take, in milliseconds: commands that check all types take minutes on two busy cores. */
const PATIENCE = 400_000;

class Reader {
  readonly #project = new ProjectCopy();
  readonly #port: number;
  readonly #apiPort: number;
  #terminal: Terminal | undefined;
  /** The output of the last command; if the command goes on, its output once that is enough. */
  #printed: (isEnough: (text: string) => boolean) => Promise<string> = async () => "";

  constructor(port: number, apiPort: number, tag: string) {
    this.#port = port;
    this.#apiPort = apiPort;
    this.#project.commit(tag);
  }

  async follow(step: Step): Promise<void> {
    switch (step.do) {
      case "write":
        return this.#project.write(step.file, step.text);
      case "edit":
        return this.#edit(step);
      case "run":
        return this.#run(step);
      case "start": {
        await this.#stop();
        const terminal = new Terminal(this.#project.start(this.#here(step.command), this.#options(step.folder, true)));
        this.#terminal = terminal;
        this.#printed = (isEnough) => terminal.printed(isEnough);
        return;
      }
      case "see": {
        const lines = step.lines.map((line) => this.#here(line));
        let sofar = "";
        const printed = this.#printed((text) => {
          sofar = text;
          return missing(text, lines) === undefined;
        });
        const text = await inTime(
          PATIENCE,
          printed,
          () => `expected to see\n${missing(sofar, lines)}\nbut saw\n${sofar}`,
        );
        const line = missing(text, lines);
        if (line !== undefined) throw new Error(`expected to see\n${line}\nbut saw\n${text}`);
      }
    }
  }

  /** Ends running commands, and removes the copy. */
  async leave(): Promise<void> {
    await this.#stop();
    this.#project.remove();
  }

  async #stop(): Promise<void> {
    const terminal = this.#terminal;
    if (terminal) await inTime(PATIENCE, terminal.stop(), () => `Ctrl-C did not end it; it printed\n${terminal.text}`);
  }

  #edit({ file, from, to }: Step & { do: "edit" }): void {
    const times = this.#project.read(file).split(from).length - 1;
    if (times !== 1) {
      throw new Error(
        `${file} has this ${times} times, where once is needed; change the page as the file has changed:\n${from}`,
      );
    }
    this.#project.replace(file, from, to);
  }

  async #run({ command, folder, exit }: Step & { do: "run" }): Promise<void> {
    const ended = this.#project.run(this.#here(command), this.#options(folder, false));
    const { code, text } = await inTime(PATIENCE, ended, () => `it does not end:\n${command}`);
    this.#printed = async () => text;
    if (code !== exit) throw new Error(`expected exit code ${exit}, but ${code} came from\n${command}\n${text}`);
  }

  #options(folder: string, detached: boolean) {
    return {
      folder,
      detached,
      env: { DURABLE_STACK_PORT: String(this.#port), DURABLE_STACK_API_PORT: String(this.#apiPort) },
    };
  }

  /** A text of the guide with the ports that are used here, and this project's name. */
  #here(text: string): string {
    return text
      .replaceAll("8787", String(this.#port))
      .replaceAll("8788", String(this.#apiPort))
      .replaceAll(/(?<!@)\bdurable-stack\b/g, projectName());
  }
}
