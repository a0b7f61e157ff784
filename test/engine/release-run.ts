/**
 * One run of release.yml with two local accounts as staging and production: its `run:` lines, parsed from the YAML. Every
 * job begins with a fresh checkout of the run's commit, as on a runner, so nothing that a job writes into a file is there
 * for the next one. What `uses:` an action is stood in for: an artifact is a file that is copied, an attestation a list of
 * hashes that a `gh` of this test's own looks into.
 */
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ProjectCopy } from "../project-copy.ts";
import { ADMIN_TOKENS, TwoAccounts } from "./two-accounts.ts";
import { type JobEnded, type JobOptions, Workflow } from "./workflow.ts";

export type JobName = "build" | "staging" | "plan" | "production";
type Kill = Pick<JobOptions, "kill" | "killWhen">;

const workflow = new Workflow("release.yml");

/** The repository, its accounts, and what was attested. */
export class Pipeline {
  readonly two: TwoAccounts;
  readonly #attested: string;
  #runs = 0;

  private constructor(two: TwoAccounts) {
    this.two = two;
    const folder = two.folder("github");
    this.#attested = join(folder, "attested");
    writeFileSync(this.#attested, "");
    const gh = join(folder, "gh");
    // `gh attestation verify <file> …`: whether the file's hash was attested.
    writeFileSync(gh, `#!/usr/bin/env bash\ngrep -q "$(sha256sum "$3" | cut -d' ' -f1)" "${this.#attested}"\n`);
    chmodSync(gh, 0o755);
    two.install("gh", gh);
  }

  /** @param settings lines that are added to those of production. */
  static async start(settings = ""): Promise<Pipeline> {
    const two = await TwoAccounts.start();
    two.soak(0);
    two.copy.write("Pulumi.production.yaml", `${two.copy.read("Pulumi.production.yaml").trimEnd()}\n${settings}`);
    return new Pipeline(two);
  }

  /** Commits what was changed in the copy, and a name that `/health` says; then a run of the workflow for that commit. */
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

  /** A run of the workflow for a commit. */
  async run(commit: string): Promise<ReleaseRun> {
    const sha = (await this.two.done(`git rev-parse ${commit}`)).trim();
    this.#runs++;
    return new ReleaseRun(this.two, sha, this.two.folder(`run-${this.#runs}`), this.#attested);
  }

  /** The names of the releases that serve. */
  async names(): Promise<readonly unknown[]> {
    return [await this.two.health("staging"), await this.two.health("production")].map((one) => Object(one).name);
  }

  close(): Promise<void> {
    return this.two.close();
  }
}

export class ReleaseRun {
  readonly #two: TwoAccounts;
  readonly #sha: string;
  /** Where its artifacts are. */
  readonly #dir: string;
  readonly #attested: string;
  readonly #outputs = new Map<string, string>();

  constructor(two: TwoAccounts, sha: string, dir: string, attested: string) {
    this.#two = two;
    this.#sha = sha;
    this.#dir = dir;
    this.#attested = attested;
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
    const copy = new ProjectCopy(this.#two.copy);
    try {
      const place = this.#two.in(copy);
      await place.run(`git checkout -q ${this.#sha}`);
      const ended = await workflow.job(name, {
        place,
        meaning: (expression) => this.#meaning(expression, name),
        action: (uses, inputs) => this.#action(copy, uses, inputs),
        ...kill,
      });
      for (const [key, value] of Object.entries(ended.outputs)) {
        this.#outputs.set(`needs.${name}.outputs.${key.slice(key.indexOf(".") + 1)}`, value);
      }
      return ended;
    } finally {
      copy.remove();
    }
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

  /** What an expression stands for in a job. The accounts' ids and tokens are in the stacks' files here. */
  #meaning(expression: string, job: JobName): string | undefined {
    const stack = job === "production" ? "production" : "staging";
    const values: Readonly<Record<string, string>> = {
      "vars.URL": this.#two.urlOf(stack),
      "vars.FROM_URL": this.#two.urlOf("staging"),
      "secrets.ADMIN_TOKEN": ADMIN_TOKENS[stack],
      "secrets.FROM_ADMIN_TOKEN": job === "production" ? ADMIN_TOKENS.staging : "",
    };
    return this.#outputs.get(expression) ?? values[expression];
  }

  /** What an action of the workflow does to the files of a checkout. */
  #action(copy: ProjectCopy, uses: string, inputs: Readonly<Record<string, string>>): void {
    const path = join(copy.root, inputs.path ?? inputs["subject-path"] ?? "");
    if (uses.startsWith("actions/attest-build-provenance@")) {
      appendFileSync(this.#attested, `${createHash("sha256").update(readFileSync(path)).digest("hex")}\n`);
    }
    if (uses.startsWith("actions/upload-artifact@")) copyFileSync(path, join(this.#dir, basename(path)));
    if (uses.startsWith("actions/download-artifact@")) {
      const file = inputs.name === "plan" ? "plan.json" : "release.tar.gz";
      mkdirSync(path, { recursive: true });
      copyFileSync(join(this.#dir, file), join(path, file));
    }
  }
}
