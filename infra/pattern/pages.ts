/** What a page in Markdown says of patterns that are gone, as far as the page tells it by its form. Pure. */
import { posix } from "node:path";
import { withoutMarked } from "../init/text.ts";

/** A link within a page, with what is shown and where it leads. */
const LINK = /\[([^\][]*)\]\(([^()\s#]+)(?:#[^()\s]*)?\)/g;

/**
 * A page, by its path in the project, without what goes with these patterns:
 * - what stands between the comments `<folder>` and `</folder>`;
 * - rows of tables that link to the guides of these patterns, and to nothing else;
 * - other links to those guides, of which the words stay.
 */
export function withoutPatterns(text: string, page: string, folders: readonly string[]): string {
  const guides = folders.map((folder) => `docs/${folder}.md`);
  const isGone = (target: string) => guides.includes(posix.join(posix.dirname(page), target));
  return folders
    .reduce(withoutMarked, text)
    .split("\n")
    .flatMap((line) => {
      const gone = [...line.matchAll(LINK)].map(([, , target = ""]) => isGone(target));
      if (!gone.includes(true)) return [line];
      if (line.startsWith("|") && !gone.includes(false)) return [];
      return [line.replaceAll(LINK, (link, words: string, target: string) => (isGone(target) ? words : link))];
    })
    .join("\n");
}
