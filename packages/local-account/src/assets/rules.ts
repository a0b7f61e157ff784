/**
 * `_headers` and `_redirects`: refuses the rules that Cloudflare refuses (100324). `wrangler dev` and Miniflare only
 * warn about such rules and skip them, so a deployment is the first to fail. The checks follow Cloudflare's parsers
 * (workers-shared); the messages are the API's as far as they are known. Pure.
 */
import { ApiError } from "../errors.ts";
import type { AssetsConfig } from "../model.ts";

const MAX_LINE_LENGTH = 2_000;
const MAX_HEADER_RULES = 100;
const MAX_STATIC_REDIRECTS = 2_000;
/** Dynamic redirects: those with a `*` or a `:placeholder`, and all after the first of them. */
const MAX_DYNAMIC_REDIRECTS = 100;
const STATUSES: ReadonlySet<string> = new Set(["200", "301", "302", "303", "307", "308"]);

/** @throws ApiError 100324 naming every invalid line of the two files. */
export function refuseInvalidRules({ headers, redirects, htmlHandling }: AssetsConfig): void {
  const files = {
    _headers: headers === undefined ? [] : mistakesInHeaders(headers),
    _redirects: redirects === undefined ? [] : mistakesInRedirects(redirects, htmlHandling !== "none"),
  };
  const text = Object.entries(files)
    .filter(([, mistakes]) => mistakes.length > 0)
    .map(([name, mistakes]) => [`Invalid ${name} configuration:`, ...mistakes].join("\n"));
  if (text.length > 0) throw new ApiError(400, 100324, text.join("\n"));
}

interface Line {
  readonly text: string;
  readonly wrong: (what: string) => string;
}

/** The lines that are not empty and not comments. */
const linesOf = (file: string): Line[] =>
  file.split("\n").flatMap((raw, index) => {
    const text = raw.trim();
    return text === "" || text.startsWith("#") ? [] : [{ text, wrong: (what) => `Line ${index + 1}: ${what}` }];
  });

function mistakesInRedirects(file: string, htmlHandling: boolean): string[] {
  const seen = new Set<string>();
  let [fixed, dynamic] = [0, 0];
  return linesOf(file).flatMap(({ text, wrong }) => {
    const mistake = mistakeInRedirect(text, htmlHandling);
    if (mistake !== undefined) return [wrong(mistake)];
    const from = fromOf(text);
    if (seen.has(from)) return [wrong(`Duplicate rule for path ${from}.`)];
    seen.add(from);
    if (dynamic > 0 || isPattern(from)) dynamic += 1;
    else fixed += 1;
    if (fixed > MAX_STATIC_REDIRECTS)
      return [wrong(`Maximum number of static rules supported is ${MAX_STATIC_REDIRECTS}.`)];
    if (dynamic > MAX_DYNAMIC_REDIRECTS)
      return [wrong(`Maximum number of dynamic rules supported is ${MAX_DYNAMIC_REDIRECTS}.`)];
    return [];
  });
}

/** The words of a redirect, without a comment at its end. */
const wordsOf = (text: string) => text.replace(/\s+#.*$/, "").split(/\s+/);

const fromOf = (text: string) => {
  const [from = ""] = wordsOf(text);
  return from.startsWith("/") ? from : `/${from}`;
};

const isPattern = (path: string) => /\*|:[A-Za-z]/.test(path);
const isAbsolute = (url: string) => /^https:\/\/+[^/]/.test(url);

function mistakeInRedirect(text: string, htmlHandling: boolean): string | undefined {
  if (text.length > MAX_LINE_LENGTH) return `Exceeds the maximum allowed length of ${MAX_LINE_LENGTH}.`;
  const words = wordsOf(text);
  const [source, to, status = "302"] = words;
  if (source === undefined || to === undefined || words.length > 3)
    return `Expected exactly 2 or 3 whitespace-separated tokens. Got ${words.length}.`;
  if (isAbsolute(source)) return "Only relative URLs are allowed.";
  if (!isAbsolute(to) && !to.startsWith("/"))
    return 'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").';
  if (!STATUSES.has(status)) return `Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got ${status}.`;
  const from = fromOf(text);
  if (!isAbsolute(to) && /\/index(\.html)?$/.test(to) && (from.endsWith("/*") || (from.endsWith("/") && htmlHandling)))
    return "Infinite loop detected in this rule. This would cause a redirect to strip `.html` or `/index` and end up triggering this rule again.";
  if (status === "200" && isAbsolute(to)) return `Proxy (200) redirects can only point to relative paths. Got ${to}`;
  return undefined;
}

function mistakesInHeaders(file: string): string[] {
  const mistakes: string[] = [];
  let rules = 0;
  /** The path of the next headers: whether it is valid, whether it has a header yet, and how to report it. */
  let rule: { readonly usable: boolean; filled: boolean; readonly wrong: Line["wrong"] } | undefined;
  const close = () => {
    if (rule?.usable && !rule.filled) mistakes.push(rule.wrong("No headers specified"));
  };
  for (const { text, wrong } of linesOf(file)) {
    if (text.length > MAX_LINE_LENGTH)
      mistakes.push(wrong(`Exceeds the maximum allowed length of ${MAX_LINE_LENGTH}.`));
    else if (/^(\S+:\/\/|\/)/.test(text)) {
      close();
      const mistake = mistakeInPath(text);
      if (mistake !== undefined) mistakes.push(wrong(mistake));
      rules += 1;
      if (rules > MAX_HEADER_RULES) mistakes.push(wrong(`Maximum number of rules supported is ${MAX_HEADER_RULES}.`));
      rule = { usable: mistake === undefined, filled: false, wrong };
    } else if (rule === undefined) mistakes.push(wrong("Expected a path before headers"));
    else if (rule.usable) {
      rule.filled = true;
      if (!/^! ./.test(text) && !/^[^\s:]+\s*:\s*\S/.test(text)) mistakes.push(wrong("Invalid header format"));
    }
  }
  close();
  return mistakes;
}

function mistakeInPath(path: string): string | undefined {
  if (!path.startsWith("/") && !isAbsolute(path))
    return 'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").';
  if (/^https:\/\/+[^/]*:\d+(\/|$)/.test(path)) return "Specifying ports is not supported.";
  const wildcards = path.split("*").length - 1;
  if (wildcards > 1) return "Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead.";
  if (wildcards > 0 && /:splat(?!\w)/.test(path)) return "Cannot combine a wildcard * with a :splat placeholder.";
  return undefined;
}
