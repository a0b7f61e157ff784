/**
 * Runs of the workflows that deploy, with two local accounts as staging and production: their `run:` lines, parsed from
 * the YAML. Every job begins with a fresh checkout of the run's commit, as on a runner, so nothing that a job writes into
 * a file is there for the next one. What `uses:` an action is stood in for: an artifact is a file that is copied.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parseDocument } from "yaml";
import { projectName } from "../../infra/stack/project.ts";
import { ProjectCopy } from "../project-copy.ts";
import { ReleaseGitHub } from "./release-github.ts";
import { ADMIN_TOKENS, STACKS, type Stack, TwoAccounts } from "./two-accounts.ts";
import { type JobEnded, type JobOptions, Workflow } from "./workflow.ts";

export type JobName = "build" | "staging" | "plan" | "production";
type Kill = Pick<JobOptions, "kill" | "killWhen">;

const release = new Workflow("release.yml");
const rotate = new Workflow("rotate.yml");
const drift = new Workflow("drift.yml");

/** The repository and its accounts. */
export class Pipeline {
  readonly two: TwoAccounts;
  readonly github: ReleaseGitHub;

  private constructor(two: TwoAccounts) {
    this.two = two;
    this.github = new ReleaseGitHub(two.folder("github"));
    two.install("gh", this.github.gh);
    for (const stack of STACKS) {
      this.github.setSecret(stack, "ADMIN_TOKEN", ADMIN_TOKENS[stack]);
    }
    this.github.setSecret("production", "FROM_ADMIN_TOKEN", ADMIN_TOKENS.staging);
  }

  /** @param settings of production, beside those that it has. */
  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<Pipeline> {
    const two = await TwoAccounts.start();
    two.soak(0);
    const file = "Pulumi.production.yaml";
    const document = parseDocument(two.copy.read(file));
    for (const [key, value] of Object.entries(settings)) document.setIn(["config", `${projectName()}:${key}`], value);
    two.copy.write(file, document.toString());
    return new Pipeline(two);
  }

  /** Commits what was changed in the copy, and a name that `/health` says; then a run of release.yml for that commit. */
  async push(name: string): Promise<ReleaseRun> {
    const { copy } = this.two;
    const file = "worker/http/health.ts";
    copy.write(
      file,
      copy.read(file).replace(/status: "ok",.*/, `status: "ok", ...({ name: ${JSON.stringify(name)} }),`),
    );
    await this.two.done(`git commit -qam ${JSON.stringify(name)}`);
    return this.run("HEAD");
  }

  /** A run of release.yml for a commit. */
  async run(commit: string): Promise<ReleaseRun> {
    const sha = (await this.two.done(`git rev-parse ${commit}`)).trim();
    return new ReleaseRun(this, sha);
  }

  /** A run of rotate.yml for the last commit. */
  rotate(stack: Stack, what: "rotate" | "end" | "leaked", kill: Kill = {}): Promise<JobEnded> {
    const inputs: Readonly<Record<string, string>> = { "inputs.stack": stack, "inputs.what": what };
    return this.job(rotate, "rotate", "HEAD", {
      meaning: (expression) => inputs[expression] ?? this.meaning(expression, stack),
      ...kill,
    });
  }

  /** A run of drift.yml for the last commit. */
  drift(): Promise<JobEnded> {
    return this.job(drift, "production", "HEAD", {
      meaning: (expression) => this.meaning(expression, "production"),
    });
  }

  /** Runs a job on a fresh checkout of a commit. */
  async job(
    workflow: Workflow,
    name: string,
    commit: string,
    {
      action,
      ...options
    }: Omit<JobOptions, "place" | "action"> & {
      readonly action?: (copy: ProjectCopy, uses: string, inputs: Readonly<Record<string, string>>) => void;
    },
  ): Promise<JobEnded> {
    const copy = new ProjectCopy(this.two.copy);
    try {
      const place = this.two.in(copy);
      await place.run(`git checkout -q ${commit}`);
      return await workflow.job(name, {
        place,
        ...(action && { action: (uses, inputs) => action(copy, uses, inputs) }),
        ...options,
      });
    } finally {
      copy.remove();
    }
  }

  /** What an expression stands for in an environment. The accounts' ids and tokens are in the stacks' files here. */
  meaning(expression: string, environment: Stack): string | undefined {
    if (expression === "vars.URL") return this.two.urlOf(environment);
    if (expression === "vars.FROM_URL") return this.two.urlOf("staging");
    if (expression === "vars.PULUMI_BACKEND_URL") return this.two.state.url;
    if (expression === "secrets.PULUMI_CONFIG_PASSPHRASE") return this.two.state.passphrase;
    const [, name] = /^secrets\.(\w+)$/.exec(expression) ?? [];
    return name === undefined ? undefined : this.github.secret(environment, name);
  }

  /** The names of the releases that serve. */
  async names(): Promise<readonly unknown[]> {
    return [await this.two.health("staging"), await this.two.health("production")].map((one) => Object(one).name);
  }

  close(): Promise<void> {
    return this.two.close();
  }
}

/** One run of release.yml. */
export class ReleaseRun {
  readonly #pipeline: Pipeline;
  readonly #sha: string;
  /** Where its artifacts are. */
  readonly #dir: string;
  readonly #outputs = new Map<string, string>();

  constructor(pipeline: Pipeline, sha: string) {
    this.#pipeline = pipeline;
    this.#sha = sha;
    this.#dir = pipeline.github.run();
  }

  /** The file of an artifact. */
  artifact(name: "release.tar.gz" | "plan.json"): string {
    return join(this.#dir, name);
  }

  /** The digest of its release, once it is built. */
  get digest(): string {
    return this.#outputs.get("needs.build.outputs.digest") ?? "";
  }

  /** Runs one job. The step that `kill` matches is ended in its middle. */
  async job(name: JobName, kill: Kill = {}): Promise<JobEnded> {
    const environment = name === "production" ? "production" : "staging";
    const ended = await this.#pipeline.job(release, name, this.#sha, {
      meaning: (expression) => this.#outputs.get(expression) ?? this.#pipeline.meaning(expression, environment),
      action: (copy, uses, inputs) => this.#action(copy, uses, inputs),
      ...kill,
    });
    for (const [key, value] of Object.entries(ended.outputs)) {
      this.#outputs.set(`needs.${name}.outputs.${key.slice(key.indexOf(".") + 1)}`, value);
    }
    return ended;
  }

  /** Runs jobs that must end well. @throws Error with what the failed one printed. */
  async done(...names: readonly JobName[]): Promise<JobEnded> {
    let last: JobEnded | undefined;
    for (const name of names) {
      last = await this.job(name);
      if (!last.ok) throw new Error(`${name}: ${last.text}`);
    }
    if (!last) throw new Error("no job was named");
    return last;
  }

  /** What an action of the workflow does to the files of a checkout. */
  #action(copy: ProjectCopy, uses: string, inputs: Readonly<Record<string, string>>): void {
    const path = join(copy.root, inputs.path ?? inputs["subject-path"] ?? "");
    if (uses.startsWith("actions/attest-build-provenance@")) this.#pipeline.github.attest(path);
    if (uses.startsWith("actions/upload-artifact@")) copyFileSync(path, join(this.#dir, basename(path)));
    if (uses.startsWith("actions/download-artifact@")) {
      const file = inputs.name === "plan" ? "plan.json" : "release.tar.gz";
      mkdirSync(path, { recursive: true });
      copyFileSync(join(this.#dir, file), join(path, file));
    }
  }
}
