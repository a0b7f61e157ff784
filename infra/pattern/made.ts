/** The files of the project that a command makes of others, and that git keeps. Pure. */
import type { Change } from "../init/draft.ts";

interface Made {
  readonly path: string;
  /** What it is made of. */
  readonly from: string;
  /** The script that makes it. */
  readonly script: string;
}

export const MADE: readonly Made[] = [
  { path: "worker-configuration.d.ts", from: "wrangler.jsonc", script: "types" },
  { path: "docs/access.md", from: "worker/index.ts", script: "access" },
];

/** Those that are to be made anew after these changes. */
export const madeAnew = (changes: readonly Change[]): readonly Made[] =>
  MADE.filter(({ from }) => changes.some(({ path, text }) => path === from && text !== undefined));
