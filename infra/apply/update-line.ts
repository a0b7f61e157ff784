/** The command by which a person updates a stack. */
import { LOCAL } from "../stack/project.ts";
import { isApplied } from "../stack/settings-file.ts";
import { dirOption, folderWord } from "./hints.ts";

/** The command that brings into force what a stack's settings say, for whatever has deployed it. */
export function updateLine(stack: string, dir: string): string {
  if (stack !== LOCAL) return `npm run up -- --stack ${stack}`;
  return isApplied(dir) ? `npm start -- --into ${folderWord(dir)}` : `npm run up -- --stack ${stack}${dirOption(dir)}`;
}
