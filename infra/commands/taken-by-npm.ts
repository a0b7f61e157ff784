/** Options that npm takes for its own: those that stand before `--`. It leaves each in a variable. */

/** Those that a person may have set for all that npm does (.npmrc). A command without them asks, refuses, or answers in words. */
const SETTINGS_OF_NPM: readonly string[] = ["--force", "--json", "--yes"];

/** What npm has left of an option, such as `--dry-run`; undefined where it has taken none. Of `--no-crons` it is empty. */
export const leftByNpm = (option: string): string | undefined =>
  process.env[`npm_config_${option.replace(/^--?/, "").replaceAll("-", "_")}`];

/** Whether one of these would be missed by what the command does. */
export const areMissed = (taken: readonly string[]): boolean => taken.some((one) => !SETTINGS_OF_NPM.includes(one));

/** `script`: the line that runs it, such as `npm run keys`. */
export const takenText = (taken: readonly string[], script: string): string =>
  `npm has taken ${taken.join(" and ")} for its own. Options of a command come after \`--\`: ${script} -- …`;
