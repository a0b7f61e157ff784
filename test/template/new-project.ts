/** Runs `pulumi new` of the real Pulumi CLI on this project, in a folder outside of this checkout. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { promisify } from "node:util";
import { findPulumi } from "../engine/pulumi-cli.ts";
import { copyFiles, type Ended } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";
import { userEnvironment } from "../user-environment.ts";

const run = promisify(execFile);

/** A clean copy of this project, from which the CLI makes new projects. */
export class Template {
  readonly #dir = realpathSync(mkdtempSync(join(tmpdir(), "template-")));
  readonly folder = join(this.#dir, "template");
  /** Its files, relative to the folder. */
  readonly files = copyFiles(this.folder);

  /**
   * Runs `pulumi new` with `name`, with `--generate-only`, which only writes the files: the rest (a stack, npm install)
   * needs Pulumi's language host. @throws Error with the CLI's output if it makes no project.
   */
  async make(name: string): Promise<NewProject> {
    const root = join(this.#dir, name);
    const backend = join(this.#dir, "backend");
    for (const folder of [root, backend]) mkdirSync(folder, { recursive: true });
    const cli = await findPulumi(console.error);
    const env = {
      ...outside(),
      PULUMI_HOME: join(this.#dir, "home"),
      PULUMI_BACKEND_URL: `file://${backend}`,
      PULUMI_CONFIG_PASSPHRASE: "passphrase",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    const args = ["new", this.folder, "--name", name, "--yes", "--force", "--generate-only"];
    const text = await run(cli, args, { cwd: root, env }).then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: unknown) => {
        const said = error instanceof Error ? error.message : String(error);
        // It looks for the language host only after it has written all files.
        if (said.includes("no language plugin 'pulumi-language-nodejs' found")) return `Created project '${name}'`;
        throw error;
      },
    );
    if (!text.includes(`Created project '${name}'`)) throw new Error(`pulumi new made nothing:\n${text}`);
    return new NewProject(root);
  }

  /** Ends commands that still run, such as after a step that took too long, and removes the projects. */
  remove(): void {
    for (const { pid } of running) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    // They may still end.
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Running commands, each in a process group of its own. */
const running = new Set<ChildProcess>();

export class NewProject {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Uses the packages that `other` has installed. */
  share(other: NewProject): void {
    symlinkSync(join(other.root, "node_modules"), join(this.root, "node_modules"), "junction");
  }

  /** Runs a command to its end, as a user types it, and prints how long it took. */
  async run(command: string): Promise<Ended> {
    const begun = Date.now();
    const child = this.#start(command);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
    }
    const [code] = await once(child, "close");
    console.log(`${((Date.now() - begun) / 1_000).toFixed(1)} s  ${basename(this.root)}: ${command}`);
    return { code: typeof code === "number" ? code : null, text };
  }

  /**
   * Runs `npm start` at free ports, `npm run smoke` with its address, the plan of the stack staging in that account,
   * and Ctrl-C. Returns the output of each.
   */
  async firstDay(): Promise<{ readonly start: string; readonly smoke: Ended; readonly plan: Ended }> {
    const terminal = new Terminal(this.#start("npm start", { DURABLE_STACK_PORT: "0", DURABLE_STACK_API_PORT: "0" }));
    try {
      const start = await terminal.printed((text) => /Ctrl-C stops it/.test(text));
      const url = /Demo page +([^\s#]+)/.exec(start)?.[1];
      const token = /Admin token +(\S+)/.exec(start)?.[1];
      if (url === undefined || token === undefined) throw new Error(`npm start is not ready:\n${start}`);
      const smoke = await this.run(`npm run -s smoke -- --url ${url} --admin-token ${token}`);
      const account = `eval "$(npm run -s account -- env)"; export ADMIN_TOKEN=${token}`;
      const plan = await this.run(`${account}; npm run -s migrations -- plan --stack staging`);
      return { start, smoke, plan };
    } finally {
      await terminal.stop();
    }
  }

  #start(command: string, env: Readonly<Record<string, string>> = {}) {
    const child = spawn("bash", ["-euo", "pipefail", "-c", command], {
      cwd: this.root,
      env: { ...outside(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(child.once("exit", () => running.delete(child)));
    return child;
  }
}

/** The environment of a user, who has none of this project's programs on the PATH. */
function outside(): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return { ...userEnvironment(), PATH: path.join(delimiter) };
}
