/**
 * Markdown for GitHub out of text that nobody trusts: pure. Such text stands only in fences, where nothing is a link, a
 * mention or an image, and no line of it ends the fence.
 */
import { stripVTControlCharacters } from "node:util";

/** What GitHub takes as the body of a comment, in characters. */
export const COMMENT_LIMIT = 65_536;

/** A part of a comment: Markdown of ours, or a text for a fence. */
export type Part = string | { readonly fenced: string };

/** The text in a fence that is longer than any run of backticks in it. Colours and other control characters go. */
export function fence(text: string): string {
  const plain = withoutControls(text).trimEnd();
  const longest = Math.max(2, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length));
  const marks = "`".repeat(longest + 1);
  return `${marks}text\n${plain}\n${marks}`;
}

/** Escape sequences, all control characters but the line feed, and those that turn the direction of what is read. */
function withoutControls(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll("\r\n", "\n")
    .replaceAll("\t", "  ")
    .replaceAll(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");
}

/**
 * The parts one below the other, with an empty line between. Where they are longer than `limit` characters, the longest
 * texts are cut at the end of a line, each with a note of how many lines are missing.
 * @throws Error where our own Markdown alone is longer.
 */
export function joined(parts: readonly Part[], limit = COMMENT_LIMIT): string {
  for (let most = limit; most >= 1; most = Math.floor(most / 2)) {
    const text = parts.map((part) => (typeof part === "string" ? part : fence(cut(part.fenced, most)))).join("\n\n");
    if (text.length <= limit) return text;
  }
  throw new Error(`the comment cannot be cut to ${limit} characters`);
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = text.lastIndexOf("\n", most);
  const kept = text.slice(0, Math.max(0, end));
  const missing = text.slice(kept.length).split("\n").filter(Boolean).length;
  return `${kept}\n… ${missing.toLocaleString("en")} more line${missing === 1 ? "" : "s"}: cut here, and whole in the run.`;
}

/** A table of cells that are safe by their shape: names and numbers. All columns but the first are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** A fence or more that is opened by a click on `summary`. */
export const folded = (summary: string, parts: readonly Part[]): readonly Part[] => [
  `<details><summary>${summary}</summary>`,
  ...parts,
  "</details>",
];
