/** One operation of the real CLI in a stack's folder, and what it did, by the engine's log of events. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

export type Operation = "up" | "preview" | "refresh" | "destroy" | "cancel";

/** What the engine did, or why it failed. */
export interface Answer {
  readonly ok: boolean;
  /** Every step on a resource, as `create Worker worker`, sorted, without components and the stack. */
  readonly steps: readonly string[];
  /** The text for people: messages of the program, the provider and the engine. */
  readonly text: string;
  /** All that the CLI printed. */
  readonly printed: string;
}

/** What each operation is called with, so that it asks nothing. */
const ARGUMENTS: Readonly<Record<Operation, readonly string[]>> = {
  up: ["--yes", "--skip-preview"],
  preview: [],
  refresh: ["--yes", "--skip-preview"],
  destroy: ["--yes", "--skip-preview"],
  cancel: ["--yes"],
};

/** The severities of messages that people see: all but `debug`. */
const SHOWN: ReadonlySet<string> = new Set(["info", "info#err", "warning", "error"]);

/** A line of the log: https://www.pulumi.com/docs/iac/automation-api/concepts-terminology/ names its events. */
const Event = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    resourcePreEvent: v.optional(
      v.object({ metadata: v.object({ op: v.string(), urn: v.string(), type: v.string() }) }),
    ),
    diagnosticEvent: v.optional(v.object({ message: v.string(), severity: v.string() })),
  }),
);

export interface Command {
  /** The stack's folder, with its settings file. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of the CLI's process. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs the CLI, and returns its exit code and all that it printed. */
export async function pulumi(
  args: readonly string[],
  { cwd, env, onStart }: Command,
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onStart?.(child);
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", resolve);
  return { code: await promise, printed };
}

/** Runs an operation on a stack. */
export async function operate(operation: Operation, stack: string, command: Command): Promise<Answer> {
  const log = join(command.cwd, "events.jsonl");
  rmSync(log, { force: true });
  const logged = operation === "cancel" ? [] : ["--event-log", log];
  const { code, printed } = await pulumi([operation, ...ARGUMENTS[operation], "--stack", stack, ...logged], {
    ...command,
    // Without it the CLI knows no `--event-log`.
    env: { ...command.env, PULUMI_DEBUG_COMMANDS: "true" },
  });
  const { steps, words } = eventsOf(log);
  return { ok: code === 0, steps: steps.toSorted(), text: words.join("") || printed, printed };
}

/** The steps and messages of a log; none if the engine wrote no log. */
function eventsOf(log: string): { readonly steps: readonly string[]; readonly words: readonly string[] } {
  const steps: string[] = [];
  const words: string[] = [];
  for (const line of linesOf(log)) {
    const { resourcePreEvent, diagnosticEvent } = v.parse(Event, line);
    if (resourcePreEvent) {
      const { op, urn, type } = resourcePreEvent.metadata;
      if (type.startsWith("cloudflare:")) steps.push(`${op} ${type.split(":").at(-1)} ${urn.split("::").at(-1)}`);
    }
    if (diagnosticEvent && SHOWN.has(diagnosticEvent.severity)) words.push(diagnosticEvent.message);
  }
  return { steps, words };
}

/** The complete lines: that of a killed engine may end in the middle. */
function linesOf(log: string): readonly string[] {
  try {
    return readFileSync(log, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}
