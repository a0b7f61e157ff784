/** Whether a text uses a pattern: names its class, binding or folder, or calls one of its routes. Pure. */
import type { PatternFacts } from "../../worker/pattern.ts";

type Facts = Pick<PatternFacts, "folder" | "class" | "path" | "binding">;

/** Whether a text names the class or the folder, takes the binding, or calls a route. */
export function uses(text: string, { folder, class: className, path, binding }: Facts): boolean {
  const marks = [
    String.raw`\b${className}\b`,
    String.raw`\benv\.${binding}\b`,
    // An import of its folder.
    String.raw`["'](?:\.\.?/)+(?:worker/|test/)?${folder}/`,
    // A call: its path at the begin of a text, or behind an address.
    String.raw`["'\`}]${path}[/?"'\`]`,
    String.raw`localhost(?::\d+)?${path}[/?"'\`\s]`,
    String.raw`https?://[^/\s"'\`]+${path}[/?"'\`\s]`,
  ];
  return marks.some((mark) => new RegExp(mark).test(text));
}
