/** The name of the project, wherever a tool wants it or a person reads it. The page and the API take it from Pulumi.yaml. */
import { applyEdits, type JSONPath, modify } from "jsonc-parser";
import { isScalar, parseDocument, stringify } from "yaml";
import type { Draft } from "./draft.ts";

/** Files of JSON, with the places in them that have the name. */
const IN_JSON: Readonly<Record<string, readonly JSONPath[]>> = {
  "package.json": [["name"]],
  "package-lock.json": [["name"], ["packages", "", "name"]],
  "wrangler.jsonc": [["name"]],
};

/** Calls the project `name`; `old` are the names that it has had so far, one of which is the README's title. */
export function rename(draft: Draft, name: string, old: readonly string[]): void {
  draft.edit("Pulumi.yaml", `name: ${name}`, (text) => withName(text, name));
  for (const [file, places] of Object.entries(IN_JSON)) {
    draft.edit(file, `name: ${name}`, (text) =>
      places.reduce((sofar, place) => applyEdits(sofar, modify(sofar, place, name, {})), text),
    );
  }
  draft.edit("README.md", `title: ${name}`, (text) =>
    text.replace(/^# (.+)$/m, (line, title: string) => (old.includes(title) ? `# ${name}` : line)),
  );
}

/** Pulumi.yaml with another name. Digits alone are put in quotes: to YAML they would be a number. */
function withName(text: string, name: string): string {
  const value = parseDocument(text).get("name", true);
  if (!isScalar(value) || !value.range || String(value.value) === name) return text;
  const [start, end] = value.range;
  return `${text.slice(0, start)}${stringify(name).trimEnd()}${text.slice(end)}`;
}
