/** The links of pages in Markdown that lead to a place in the project, and where they lead to nothing. Pure. */
import { posix } from "node:path";

/** A project's files, by their paths. */
export interface Pages {
  /** A file's text; undefined where there is none. */
  read(file: string): string | undefined;
  /** Whether there is such a file or folder. */
  has(path: string): boolean;
}

/** The links of a page that lead nowhere, each with the page's path. */
export function deadLinks(page: string, pages: Pages): readonly string[] {
  const text = pages.read(page) ?? "";
  return linksOf(text)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : posix.join(posix.dirname(page), path);
      if (!pages.has(target)) return true;
      return anchor !== undefined && target.endsWith(".md") && !anchorsOf(pages.read(target) ?? "").has(anchor);
    })
    .map((link) => `${page}: ${link}`);
}

/** Where the links and the pictures of a text lead. */
const linksOf = (text: string): readonly string[] =>
  [
    ...withoutCode(text)
      .replaceAll(/`[^`\n]*`/g, "")
      .matchAll(/\]\(([^()\s]+)\)|(?:src|srcset|href)="([^"]+)"/g),
  ].map(([, link, attribute]) => link ?? attribute ?? "");

/** The anchors of a text's headings, as GitHub makes them. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let name = anchor;
    for (let count = 1; anchors.has(name); count += 1) name = `${anchor}-${count}`;
    anchors.add(name);
  }
  return anchors;
}

const withoutCode = (text: string): string => text.replaceAll(/^ *```.*\n[\s\S]*?^ *```$/gm, "");
