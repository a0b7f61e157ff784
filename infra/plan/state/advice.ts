/** What to do with a stack's state, in words that hold for what deploys it: the Pulumi CLI, or `npm start`. */
import { LOCAL } from "../../stack/project.ts";
import type { Known } from "./known.ts";

interface Which {
  readonly stack: string;
}

/** What makes anew what is missing: an update that looks at every resource first. Ends where a verb follows. */
export const refreshing = ({ stack }: Which, known: Pick<Known, "looksAtAll"> | undefined): string =>
  known?.looksAtAll ? "the next `npm start`" : `\`npm run up -- --stack ${stack} --refresh\``;

/** What brings back what something else has changed. `refresh`: the command that looks at every resource first. */
export const putsRight = (refresh: string): string => `\`${refresh}\` puts it right.`;

/**
 * How what is gone is taken out of the state, and what comes then. A local account has its states in its own folder, where
 * the Pulumi CLI does not look by itself.
 */
export function outOfState({ stack }: Which, known: Pick<Known, "looksAtAll"> | undefined, then: string): string {
  if (known?.looksAtAll) return `move stack.json out of the account's folder, ${then}`;
  if (stack === LOCAL) return `move the folder "pulumi" out of the account's folder, ${then}`;
  return `\`pulumi refresh --stack ${stack}\` takes it out of the state, ${then}`;
}
