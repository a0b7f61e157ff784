/** What a project becomes when a pattern is added to it, as changes of files. Pure: nothing is read but through `files`. */
import type { Migration } from "@durable-stack/class-lifecycle";
import type { PatternFacts } from "../../worker/pattern.ts";
import { UserError } from "../common/user-error.ts";
import type { Draft, ProjectFiles } from "../init/draft.ts";
import { nextStepName } from "./history.ts";
import { addStep } from "./history-files.ts";
import { type Names, namesOf, unfit } from "./names.ts";
import { identifiersOf, isFreeWord, withElement, withExport, withImport, withProperty } from "./source.ts";
import { namesInEnv, withClass } from "./wrangler.ts";

/** The project that a pattern is added to. */
interface BeforeAdding {
  readonly patterns: readonly PatternFacts[];
  readonly migrations: readonly Migration[];
  /** Every key that a stack may set. */
  readonly configKeys: readonly string[];
  /** The files that a pattern begins as (infra/pattern/template/), by their paths in a project. */
  readonly template: Readonly<Record<string, string>>;
}

/** What the template's files are called in place of the pattern. */
const PLACEHOLDER = namesOf("sample-pattern");

const LIST = "worker/patterns.ts";
const ENTRY = "worker/index.ts";
const PAGE = "worker/page/index.html";

/** Paths that are the Worker's own, or that something in front of it answers. */
const RESERVED = ["api", "assets", "cdn-cgi", "docs", "favicon", "health", "openapi", "page", "robots", "well-known"];

/** What stands against a name, in words; undefined where a pattern may have it. */
export function obstacleToName(folder: string, project: BeforeAdding, files: ProjectFiles): string | undefined {
  const wrong = unfit(folder);
  if (wrong !== undefined) return `${folder}: ${wrong}.`;
  const names = namesOf(folder);
  const taken = takenBy(names, project, files);
  return taken && `${folder}: ${taken}. Choose another name.`;
}

function takenBy(names: Names, { patterns, migrations, configKeys, template }: BeforeAdding, files: ProjectFiles) {
  const { folder, variable, className, binding } = names;
  const other = patterns.find((facts) => facts.path === `/${folder}` || facts.name === folder);
  if (other) return `the pattern ${other.folder} has this name or path`;
  const there = [`worker/${folder}/`, `test/${folder}/`].find((path) => files.has(path));
  if (there !== undefined) return `there is a folder ${there} already`;
  if (RESERVED.includes(folder)) return `the path /${folder} is not for patterns`;
  if (!isFreeWord(variable)) return `${variable} is a word of TypeScript, and the pattern is called so in code`;
  const sources = [LIST, ENTRY].flatMap((file) => files.read(file) ?? []);
  const used = [...sources, ...Object.values(template).filter(isCode)].map(identifiersOf);
  const word = [variable, className].find((one) => used.some((words) => words.has(one)));
  if (word !== undefined) return `${word} means something else in the code already`;
  if (namesInEnv(files.read("wrangler.jsonc") ?? "").has(binding)) return `the Worker has a binding ${binding} already`;
  if (configKeys.includes(variable)) return `${variable} is a setting already`;
  if (migrations.some(({ changes }) => changes.some((change) => Object.values(change).includes(className)))) {
    return `the history knows a class ${className} already`;
  }
  const pages = [PAGE, ...patterns.map((facts) => `worker/${facts.folder}/panel/panel.html`)];
  const mark = new RegExp(`\\b(?:id|data-name)="${folder}"`);
  if (pages.some((file) => mark.test(files.read(file) ?? ""))) return `the page has a part ${folder} already`;
  // It would be taken for the pattern's, and go with it.
  const guide = `docs/${folder}.md`;
  if (files.read(guide) !== undefined) return `there is a guide ${guide} already, and a pattern's guide is called so`;
  return undefined;
}

const isCode = (text: string): boolean => !text.startsWith("<");

/** Adds the pattern. What stands against its name was asked before. @throws UserError where a file is not as it was. */
export function addPattern(draft: Draft, folder: string, { migrations, template }: BeforeAdding): Names {
  const names = namesOf(folder);
  const { variable, className, binding } = names;
  for (const [path, text] of Object.entries(template)) draft.create(inNames(path, names), inNames(text, names));
  draft.edit(LIST, `${variable} in the list`, (text) =>
    withImport(
      LIST,
      orUserError(withElement(LIST, text, "patterns", variable), LIST, "list `patterns`"),
      `import { ${variable} } from "./${folder}/pattern.ts";`,
    ),
  );
  const key = variable === folder ? variable : `"${folder}": ${variable}`;
  draft.edit(ENTRY, `${className} and its routes`, (text) =>
    withExport(
      ENTRY,
      withImport(
        ENTRY,
        orUserError(withProperty(ENTRY, text, "routes", key), ENTRY, "object `routes`"),
        `import { routes as ${variable} } from "./${folder}/routes.ts";`,
      ),
      `export { ${className} } from "./${folder}/${folder}.ts";`,
    ),
  );
  draft.edit("wrangler.jsonc", `the binding ${binding}, the class`, (text) => withClass(text, binding, className));
  addStep(draft, migrations, {
    name: nextStepName(migrations, `create-${folder}`),
    changes: [{ op: "create", className, storage: "sqlite" }],
  });
  return names;
}

function orUserError(text: string | undefined, file: string, what: string): string {
  if (text !== undefined) return text;
  throw new UserError(`Nothing was changed: ${file} has no ${what} to add to. docs/add-a-pattern.md adds one by hand.`);
}

/** A text of the template, or a path, with the pattern's own names. */
const inNames = (text: string, names: Names): string =>
  [
    [PLACEHOLDER.folder, names.folder],
    [PLACEHOLDER.className, names.className],
    [PLACEHOLDER.variable, names.variable],
    [PLACEHOLDER.binding, names.binding],
    [PLACEHOLDER.title, names.title],
    [PLACEHOLDER.title.toLowerCase(), names.title.toLowerCase()],
  ].reduce((sofar, [from = "", to = ""]) => sofar.replaceAll(from, () => to), text);
