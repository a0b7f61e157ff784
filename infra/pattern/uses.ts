/** Whether a text uses a pattern, or speaks of it: by its class, binding, folder, settings or routes. Pure. */
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

/**
 * Whether a document, in Markdown, speaks of a pattern: as above; by a file of its folders or a link to its guide; or with
 * the folder or a setting as a word in code. Words of its prose do not count: many are usual ones, such as "document".
 */
export function speaksOf(markdown: string, facts: Facts & Pick<PatternFacts, "settings">): boolean {
  const words = [facts.folder, ...Object.keys(facts.settings)];
  // Not within a longer name: `chat-room`, `keep_session`.
  const word = new RegExp(String.raw`(?<![\w-])(?:${words.join("|")})(?![\w-])`);
  return (
    uses(markdown, facts) ||
    new RegExp(String.raw`\b(?:worker|test)/${facts.folder}/`).test(markdown) ||
    codeIn(markdown).some((code) => word.test(code)) ||
    new RegExp(String.raw`\]\((?:[./\w]*/)?${facts.folder}\.md[)#]`).test(markdown)
  );
}

/** The blocks of code of a text in Markdown, and what stands in backticks in its lines. */
const codeIn = (markdown: string): readonly string[] => {
  const blocks = /^ *```.*\n[\s\S]*?^ *```$/gm;
  return [...(markdown.match(blocks) ?? []), ...(markdown.replaceAll(blocks, "").match(/`[^`\n]+`/g) ?? [])];
};
