/** Options that several commands have, and what they take for them. */

import { InvalidArgumentError } from "commander";
import { DEFAULT_DIR } from "../apply/hints.ts";

/** An option that is a folder. An empty one would be the project's own. */
export function folder(name: string): string {
  if (name.trim() !== "") return name;
  throw new InvalidArgumentError("It must name a folder.");
}

/** The option `--dir`, with what it is to this command. */
export const dirAs = (what: string) => ["--dir <folder>", what, folder, DEFAULT_DIR] as const;

/** The option `--dir` of a command on a stack. */
export const DIR = dirAs("where the local account keeps its state; for the stack local");

/** An option that is a whole number, in decimal digits. `more` says what else is to know of it. */
export const wholeNumber =
  (least: number, most: number, more = "") =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}${more}.`);
  };

/** An option that is a port. */
export const port = wholeNumber(0, 65_535, "; 0 takes a free one");

/** An option that is an address. */
export function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new InvalidArgumentError("It must be a URL that begins with http:// or https://.");
}

/** An option that says where a Worker answers: it is asked from its root on. */
export function workerUrl(text: string): URL {
  const url = httpUrl(text);
  if (url.href === `${url.origin}/`) return url;
  throw new InvalidArgumentError(
    `It must be where the Worker's paths begin, without a user, a path, a query or a fragment: ${url.origin}`,
  );
}
