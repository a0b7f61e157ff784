/** Runs the Pulumi CLI. */
import { type SpawnOptions, spawnSync } from "node:child_process";
import { codeOf } from "../common/errors.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { inForeground } from "./foreground.ts";
import { LastingOutput } from "./lasting-output.ts";

/** Variables over this process's own; undefined takes one away. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * A terminal that closes sends HUP to all, and the CLI would end in the middle of writing its state: it inherits that
 * HUP is ignored, and gets a TERM of ours instead, on which it ends in order.
 */
const WITHOUT_HUP = 'trap "" HUP; command -v pulumi >/dev/null || exit 127; exec pulumi "$@"';
/** The exit code of a shell that does not find a program. */
const NOT_FOUND = 127;
const NOT_INSTALLED = "The Pulumi CLI is not installed: https://www.pulumi.com/docs/install/";
/** Bytes that the CLI may print at most: the state of a stack is one answer. */
const ANSWER_LIMIT = 1 << 28;

/**
 * Runs the CLI in this terminal and returns its exit code; `quiet`: without what it prints when all is well.
 * @throws UserError where there is no CLI; Interrupted after the CLI's end, where a signal asked for it.
 */
export async function runPulumi(
  args: readonly string[],
  folder: string,
  env: Variables = {},
  quiet = false,
): Promise<number> {
  const output = new LastingOutput();
  const options: SpawnOptions = {
    cwd: folder,
    stdio: ["inherit", quiet ? "ignore" : output.of(1), output.of(2)],
    env: { ...process.env, ...env },
  };
  // A reader that takes its time (`| less`) is waited for as the CLI is, which would write to it itself.
  const code = await inForeground("sh", ["-c", WITHOUT_HUP, "sh", ...args], options, () => output.passedOn());
  if (code !== NOT_FOUND) return code;
  throw new UserError(`${NOT_INSTALLED} (npm start needs none).`);
}

/** What the CLI said to a question. */
export interface Answer {
  /** 0: it has answered; null: a signal has ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Asks the CLI something, in the project's folder, and waits for its answer. @throws UserError where there is no CLI. */
export function askPulumi(args: readonly string[]): Answer {
  const { error, ...answer } = spawnSync("pulumi", args, { cwd: ROOT, encoding: "utf8", maxBuffer: ANSWER_LIMIT });
  if (codeOf(error) === "ENOENT") throw new UserError(NOT_INSTALLED);
  if (error) throw error;
  return answer;
}
