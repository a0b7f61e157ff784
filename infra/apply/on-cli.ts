/** A command of the Pulumi CLI on a stack, also on `local`, which is led to the backend beside its account. */

import { ROOT } from "../release/root.ts";
import { LOCAL } from "../stack/project.ts";
import { cliLocal } from "./cli-local.ts";
import { runPulumi } from "./pulumi-cli.ts";
import { bareName, withOptions } from "./pulumi-line.ts";

/**
 * Runs `words` (a command with its options) on a stack and returns the exit code; `dir`: the local account's folder.
 * @throws as `runPulumi` and `cliLocal` do.
 */
export async function onCli(words: readonly string[], stack: string, dir: string): Promise<number> {
  if (bareName(stack) !== LOCAL) return runPulumi(withOptions(words, "--stack", stack), ROOT);
  const { env, file } = await cliLocal(dir);
  return runPulumi(withOptions(words, "--stack", LOCAL, "--config-file", file), ROOT, env);
}
