/**
 * Runs one operation of the real engine in a process of its own, because a program can be evaluated only once per
 * process. It gets a job from its parent, and answers with what the engine did.
 */
import { pathToFileURL } from "node:url";
import { type EngineEvent, LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { projectName } from "../../infra/stack/project.ts";

export interface Job {
  readonly operation: "up" | "preview" | "refresh" | "destroy" | "cancel";
  readonly stack: string;
  /** The folder of Pulumi.yaml. */
  readonly project: string;
  /** The program's module. */
  readonly program: string;
  /** The folder whose bin/ has the CLI. */
  readonly cli: string;
  readonly env: Readonly<Record<string, string>>;
  /** Config that the engine encrypts, by full key. The rest is in the stack's file. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What the engine did, or why it failed. */
export interface Answer {
  readonly ok: boolean;
  /** Every step on a resource, as `create Worker worker`, sorted, without components and the stack. */
  readonly steps: readonly string[];
  /** The text for people: messages of the program, the provider and the engine. */
  readonly text: string;
  /** All that the CLI printed. */
  readonly printed: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** The milliseconds of the program's own modules and its plan, without loading Pulumi's packages. */
  readonly own: number;
}

/** The severities of messages that people see: all but `debug`. */
const SHOWN: ReadonlySet<string> = new Set(["info", "info#err", "warning", "error"]);

process.once("message", async (job: Job) => {
  process.send?.(await perform(job), () => process.exit(0));
});

async function perform(job: Job): Promise<Answer> {
  const steps: string[] = [];
  const words: string[] = [];
  const printed: string[] = [];
  const onEvent = ({ resourcePreEvent, diagnosticEvent }: EngineEvent) => {
    if (resourcePreEvent) {
      const { op, urn, type } = resourcePreEvent.metadata;
      if (type.startsWith("cloudflare:")) steps.push(`${op} ${type.split(":").at(-1)} ${urn.split("::").at(-1)}`);
    }
    if (diagnosticEvent && SHOWN.has(diagnosticEvent.severity)) words.push(diagnosticEvent.message);
  };
  const print = (text: string) => printed.push(text);
  const options = { onEvent, onOutput: print, onError: print, color: "never" } as const;
  let own = 0;
  const answer = (ok: boolean) => ({
    ok,
    steps: steps.toSorted(),
    text: words.join(""),
    printed: printed.join(""),
    own,
  });
  try {
    const stack = await LocalWorkspace.createOrSelectStack(
      {
        stackName: job.stack,
        projectName: projectName(),
        program: async () => {
          await import("@pulumi/cloudflare");
          const began = performance.now();
          const outputs = { ...(await import(pathToFileURL(job.program).href)) };
          own = performance.now() - began;
          return outputs;
        },
      },
      {
        workDir: job.project,
        envVars: { ...job.env },
        pulumiCommand: await PulumiCommand.get({ root: job.cli }),
        secretsProvider: "passphrase",
      },
    );
    const secrets = Object.entries(job.secrets).map(([key, value]) => [key, { value, secret: true }]);
    await stack.setAllConfig(Object.fromEntries(secrets));
    if (job.operation !== "up") {
      if (job.operation === "cancel") await stack.cancel();
      else await stack[job.operation](options);
      return { ...answer(true), outputs: {} };
    }
    const { outputs } = await stack.up(options);
    const shown = Object.entries(outputs).map(([name, { value, secret }]) => [name, secret ? "[secret]" : value]);
    return { ...answer(true), outputs: Object.fromEntries(shown) };
  } catch (error) {
    if (words.length === 0) words.push(error instanceof Error ? error.message : String(error));
    return { ...answer(false), outputs: {} };
  }
}
