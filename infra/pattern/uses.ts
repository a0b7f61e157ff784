/** Whether a text uses a pattern: names its class or its folder, or calls one of its routes. Pure. */
import type { PatternFacts } from "../../worker/pattern.ts";

type Facts = Pick<PatternFacts, "folder" | "class" | "path">;

/** Whether a test that runs in the Worker uses the binding. */
export const usesBinding = (text: string, { binding }: Pick<PatternFacts, "binding">): boolean =>
  new RegExp(String.raw`\benv\.${binding}\b`).test(text);

/** Whether a text names the class or the folder, or calls a route. */
export function uses(text: string, { folder, class: className, path }: Facts): boolean {
  const marks = [
    String.raw`\b${className}\b`,
    // An import of its folder.
    String.raw`["'](?:\.\.?/)+(?:worker/|test/)?${folder}/`,
    // A call: its path at the begin of a text, or behind an address.
    String.raw`["'\`}]${path}[/?"'\`]`,
    String.raw`localhost(?::\d+)?${path}[/?"'\`\s]`,
    String.raw`https?://[^/\s"'\`]+${path}[/?"'\`\s]`,
  ];
  return marks.some((mark) => new RegExp(mark).test(text));
}
