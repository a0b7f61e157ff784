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

/** What to do where the CLI has failed on a lock that nobody holds any more. */
export const lockLine = (stack: string): string =>
  `Where the stack is locked, and what has locked it was killed (docs/state.md, "Locks"): pulumi cancel ${stack}`;
