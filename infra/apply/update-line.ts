/** The commands by which a person updates a stack. */
import { LOCAL } from "../stack/project.ts";
import { isApplied } from "../stack/settings-file.ts";
import { dirOption, folderWord } from "./hints.ts";

/** The command that brings into force what a stack's settings say, for whatever has deployed it. */
export function updateLine(stack: string, dir: string): string {
  if (stack !== LOCAL) return `npm run up -- --stack ${stack}`;
  return isApplied(dir) ? `npm start -- --into ${folderWord(dir)}` : `npm run up -- --stack ${stack}${dirOption(dir)}`;
}

/** The command for an update that looks at every resource first, so that what is gone or changed by hand is put right. */
export const refreshLine = (stack: string, dir: string): string =>
  stack === LOCAL && isApplied(dir) ? updateLine(stack, dir) : `${updateLine(stack, dir)} --refresh`;

/** Exit codes of the CLI that say more than that it failed: pkg/cmd/pulumi/cmd/exit_codes.go. */
const NOT_LOGGED_IN = 3;
const NO_STACK = 6;

/** What to do where the CLI ended with this code; undefined: what it has said itself is enough. */
export function failedLine(stack: string, code: number): string | undefined {
  return code === NOT_LOGGED_IN ? undefined : (noStackLine(stack, code) ?? lockLine(stack));
}

/** What to do where the CLI ended with this code because it has no such stack; undefined: it did not. */
export function noStackLine(stack: string, code: number | null): string | undefined {
  if (code !== NO_STACK) return undefined;
  const make = `\`pulumi stack init ${stack}\``;
  return `Where ${stack} was never made: ${make}. Else see that the CLI is led to its state (docs/runbooks.md, "What a terminal needs"): \`pulumi whoami --verbose\`. Where that state is lost: ${make}, then docs/recover.md`;
}

/** What to do where the CLI has failed on a lock that nobody holds any more. */
export const lockLine = (stack: string): string =>
  `Where the stack is locked, and what has locked it was killed (docs/state.md, "Locks"): pulumi cancel ${stack}`;
