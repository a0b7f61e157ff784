/**
 * What the template's own repository needs, and a project that was made of it does not: the judges of the template, and
 * its list of changes. Parts of files that go with them stand between the comments `<template>` and `</template>`.
 */
import { applyEdits, modify, parse } from "jsonc-parser";
import * as v from "valibot";
import type { Draft } from "./draft.ts";
import { withoutMarked, withoutScripts } from "./text.ts";

const JUDGES = "test/template/";

const REMOVED: Readonly<Record<string, string>> = {
  "test/guides/make-it-yours.test.ts": "follows docs/make-it-yours.md, which is done",
  "test/budget/": "this template's own size budget; what Cloudflare takes is checked by the build",
  [JUDGES]: "makes other projects of the template",
};

const MARKED = [".ci/run", "vitest.config.ts"];

/** What pulumi new asks for, and takes out of Pulumi.yaml. */
const ASKED = /^template:\n(?:[ \t].*\n|\n)*/m;

/** What tools show of the project until somebody writes something better. */
const WHAT_IT_IS = "A Cloudflare Worker with Durable Objects";

const OWN_SCRIPTS = ["test:budget", "test:template"];

const NO_CHANGES = `# Changelog
All notable changes. Versions follow [Semantic Versioning](https://semver.org).

## Unreleased
`;

/** How this template describes itself in package.json. */
const DESCRIBED_AS = /^A Pulumi template /;

/**
 * Takes them out, also where a new version of the template has brought them back. What the project has made of its files
 * since the first time (`isFirst`) is left alone.
 */
export function dropTemplate(draft: Draft, isFirst: boolean): void {
  if (!hasTemplate(draft)) return;
  const isDescribed = DESCRIBED_AS.test(descriptionIn(draft.read("package.json") ?? ""));
  for (const file of MARKED)
    draft.edit(file, "without the template's own steps", (text) => withoutMarked(text, "template"));
  // In what pulumi new has made, the description is its user's.
  draft.edit("Pulumi.yaml", `without what pulumi new asks for; description: ${WHAT_IT_IS}`, (text) =>
    ASKED.test(text) ? text.replace(ASKED, "").replace(/^description: .*$/m, `description: ${WHAT_IT_IS}`) : text,
  );
  draft.edit("package.json", `description: ${WHAT_IT_IS}`, (text) =>
    isDescribed ? applyEdits(text, modify(text, ["description"], WHAT_IT_IS, {})) : text,
  );
  draft.edit("README.md", "without what it says of the template", (text) => withoutMarked(text, "template"));
  draft.edit("package.json", `without the scripts ${OWN_SCRIPTS.join(", ")}`, (text) =>
    withoutScripts(text, OWN_SCRIPTS),
  );
  if (isFirst) draft.edit("CHANGELOG.md", "begins anew", () => NO_CHANGES);
  for (const [path, why] of Object.entries(REMOVED)) draft.remove(path, why);
}

/** Whether anything shows the template. After a merge that may be marked lines alone. */
const hasTemplate = (draft: Draft): boolean =>
  draft.has(JUDGES) ||
  [...MARKED, "README.md"].some((file) => {
    const text = draft.read(file) ?? "";
    return withoutMarked(text, "template") !== text;
  });

const Described = v.object({ description: v.optional(v.string(), "") });
const descriptionIn = (text: string): string => {
  const read = v.safeParse(Described, parse(text));
  return read.success ? read.output.description : "";
};
