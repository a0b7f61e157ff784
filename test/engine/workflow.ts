/**
 * Runs the `run:` lines of a workflow under .github/workflows as they stand in the YAML, job by job, where a test says.
 * Expressions get the values that the test gives them, and what `uses:` an action is stood in for by the test.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import type { Ended, ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";
import { evaluate, isTrue, type Meaning } from "./expression.ts";
import type { Variables } from "./ground.ts";

const Scalar = v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String));
const Values = v.optional(v.record(v.string(), Scalar), {});
const StepSchema = v.object({
  id: v.optional(v.string()),
  name: v.optional(v.string(), ""),
  if: v.optional(Scalar),
  uses: v.optional(v.string()),
  with: Values,
  run: v.optional(v.string()),
  env: Values,
});
const JobSchema = v.object({ if: v.optional(Scalar), env: Values, steps: v.optional(v.array(StepSchema), []) });
const WorkflowSchema = v.object({ env: Values, jobs: v.record(v.string(), JobSchema) });

/** Where the lines run: a copy of the project with its programs and accounts. */
export interface Place {
  run(command: string, env?: Variables): Promise<Ended>;
  /** In a process group of its own. */
  start(command: string, env?: Variables): ReturnType<ProjectCopy["start"]>;
}

export interface JobOptions {
  readonly place: Place;
  /** What a path in an expression stands for, such as `vars.URL`; undefined is an empty text, as on GitHub. */
  readonly meaning: Meaning;
  /** Does what an action would do. */
  readonly action?: (uses: string, inputs: Variables) => void;
  /** What a runner sets beside its files, and what it says of the repository and the ref (`RunnerFiles`). */
  readonly env?: Variables;
  /** A step that is ended in its middle, once it has printed what `killWhen` matches. */
  readonly kill?: RegExp;
  readonly killWhen?: RegExp;
}

export interface JobEnded {
  readonly ok: boolean;
  /** Exit code of the failed step; null: it was killed. */
  readonly code: number | null;
  /** What the failed step printed, with its name in front. */
  readonly text: string;
  /** The job's summary, as far as it came. */
  readonly summary: string;
  /** The outputs of its steps, as `step.output`. */
  readonly outputs: Variables;
}

export class Workflow {
  readonly #parsed: v.InferOutput<typeof WorkflowSchema>;

  /** @param file in .github/workflows. */
  constructor(file: string) {
    this.#parsed = v.parse(WorkflowSchema, parse(readFileSync(join(ROOT, ".github/workflows", file), "utf8")));
  }

  /** Whether GitHub would start the job, by its `if`. */
  starts(name: string, meaning: Meaning): boolean {
    const { if: condition } = this.#job(name);
    return condition === undefined || isTrue(evaluate(condition, meaning));
  }

  /**
   * Runs a job as a runner would: step after step, until one fails. Of the steps after that one, those with
   * `if: always()` run.
   */
  async job(name: string, options: JobOptions): Promise<JobEnded> {
    const job = this.#job(name);
    const files = new RunnerFiles();
    try {
      let text: string | undefined;
      let code: number | null = 0;
      const outputs: Record<string, string> = {};
      const meaning: Meaning = (path) =>
        path.startsWith("steps.") ? outputs[path.replace(/^steps\.(\w+)\.outputs\./, "$1.")] : options.meaning(path);
      for (const step of job.steps) {
        if (text !== undefined && !step.if?.includes("always()")) continue;
        if (step.if !== undefined && !isTrue(evaluate(step.if, meaning))) continue;
        const env = {
          ...options.env,
          ...files.variables,
          ...filled({ ...this.#parsed.env, ...job.env, ...step.env }, meaning),
        };
        if (step.uses !== undefined) options.action?.(step.uses, filled(step.with, meaning));
        if (step.run === undefined || step.run === "npm ci") continue;
        const kills = options.kill?.test(step.run) === true;
        const ended = kills
          ? await killed(options.place, step.run, env, options.killWhen)
          : await options.place.run(step.run, env);
        for (const [key, value] of files.outputs()) outputs[`${step.id ?? ""}.${key}`] = value;
        // What was killed leaves nobody to run the steps after it.
        if (kills)
          return { ok: false, code: null, text: `${step.name}\n${ended.text}`, summary: files.summary(), outputs };
        if (ended.code === 0 || text !== undefined) continue;
        text = `${step.name}\n${ended.text}`;
        ({ code } = ended);
      }
      return { ok: text === undefined, code, text: text ?? "", summary: files.summary(), outputs };
    } finally {
      files.remove();
    }
  }

  #job(name: string): v.InferOutput<typeof JobSchema> {
    const job = this.#parsed.jobs[name];
    if (!job) throw new Error(`the workflow has no job ${name}`);
    return job;
  }
}

/** The values with their expressions filled in. Those without a meaning are empty, and set all the same, as on GitHub. */
const filled = (values: Variables, meaning: Meaning): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([key, text]) => [
      key,
      text.replaceAll(/\$\{\{ (.+?) \}\}/g, (_, expression: string) => String(evaluate(expression, meaning) ?? "")),
    ]),
  );

/** Starts a line and ends it in the middle, once it has begun to change something. */
async function killed(
  place: Place,
  line: string,
  env: Variables,
  when = /0\.01 %|\bcreating\b|\bupdating \(\d|Stack \S+ running/,
): Promise<Ended> {
  const terminal = new Terminal(place.start(line, env));
  const before = await terminal.printed((text) => when.test(text));
  if (!when.test(before)) throw new Error(`it never printed ${when}, and so nothing was killed:\n${before}`);
  await terminal.stop();
  return { code: null, text: terminal.text };
}

/** The files by which a step tells the runner something. */
class RunnerFiles {
  readonly #dir = mkdtempSync(join(tmpdir(), "durable-stack-runner-"));
  readonly #output = join(this.#dir, "output");
  readonly #summary = join(this.#dir, "summary");

  constructor() {
    for (const file of [this.#output, this.#summary]) writeFileSync(file, "");
  }

  get variables(): Variables {
    return {
      GITHUB_OUTPUT: this.#output,
      GITHUB_STEP_SUMMARY: this.#summary,
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_REPOSITORY: "me/it",
      GITHUB_REF: "refs/heads/main",
      GITHUB_REF_NAME: "main",
    };
  }

  /** What the last step put out; the next one begins with none. */
  outputs(): readonly (readonly [key: string, value: string])[] {
    const lines = readFileSync(this.#output, "utf8").split("\n");
    writeFileSync(this.#output, "");
    return lines.flatMap((line) => {
      const [, key, value] = /^([\w-]+)=(.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as const];
    });
  }

  summary(): string {
    return readFileSync(this.#summary, "utf8");
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
