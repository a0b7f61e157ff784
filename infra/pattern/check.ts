/** Whether every pattern of the list has all that belongs to it, and nothing of another's. Pure. */

import type { PatternFacts } from "../../worker/pattern.ts";
import { rowsWith } from "../init/text.ts";

/** The parts of the project that a pattern stands in. */
export interface Seen {
  /** Whether there is such a file. */
  has(file: string): boolean;
  /** Files under a folder, by their paths in the project. */
  under(folder: string): readonly string[];
  /** What worker/index.ts exports. */
  readonly exported: readonly string[];
  /** The class of each binding in wrangler.jsonc to one of the Worker's own. */
  readonly bindings: Readonly<Record<string, string>>;
  /** The classes of `exports` in wrangler.jsonc. */
  readonly declared: readonly string[];
  /** The classes that infra/migrations.ts leaves. */
  readonly alive: readonly string[];
  /** The classes that infra/migrations.ts names, and leaves no more: renamed, removed or sent away. */
  readonly gone: readonly string[];
  /** The text of README.md, empty where there is none. */
  readonly readme: string;
}

/** A thing that is missing, twice there or left over, and what mends it. */
export interface Problem {
  /** The pattern's folder, or a file of the project. */
  readonly where: string;
  readonly what: string;
  readonly fix: string;
}

/** All that is wrong with the list, at once. */
export function problemsOf(patterns: readonly PatternFacts[], seen: Seen): readonly Problem[] {
  const lacks = [
    ...patterns.flatMap((facts) => missing(facts, seen).map((found) => ({ where: facts.folder, ...found }))),
    ...notListed(patterns, seen),
  ];
  return [
    ...lacks,
    // Before, it may be the class that a pattern lacks, under another name.
    ...(lacks.length > 0 ? [] : ofNoPattern(patterns, seen)),
    ...shared(patterns),
    ...unknownNeeds(patterns),
    ...leftOver(seen),
  ];
}

/** The same of one pattern or class, which is known. */
type Lack = Omit<Problem, "where">;

const when = (wrong: boolean, what: string, fix: string): readonly Lack[] => (wrong ? [{ what, fix }] : []);

function missing(facts: PatternFacts, seen: Seen): readonly Lack[] {
  const { folder, class: className, binding } = facts;
  const file = (path: string, fix: string): readonly Lack[] =>
    seen.has(path) ? [] : [{ what: `there is no ${path}`, fix }];
  const bound = seen.bindings[binding];
  return [
    ...file(`worker/${folder}/pattern.ts`, `give it the folder that its pattern.ts stands in`),
    ...file(`test/${folder}/smoke.ts`, "write a `probe`: test/counter/smoke.ts or docs/add-a-pattern.md show one"),
    ...file(`test/${folder}/rehearsal.ts`, "write a `filling`, as docs/add-a-pattern.md shows"),
    ...when(
      !seen.under(`test/${folder}`).some((path) => path.endsWith(".test.ts")),
      `test/${folder}/ has no test`,
      `write test/${folder}/worker/${folder}.test.ts, as docs/add-a-pattern.md shows`,
    ),
    ...when(
      !seen.exported.includes(className),
      `worker/index.ts does not export ${className}`,
      `export { ${className} } from the file of the class, under ./${folder}/`,
    ),
    ...when(
      bound !== className,
      bound === undefined
        ? `wrangler.jsonc has no binding ${binding}`
        : `the binding ${binding} in wrangler.jsonc leads to ${bound}`,
      `put { "name": "${binding}", "class_name": "${className}" } into durable_objects.bindings, then npm run types`,
    ),
    ...ofClass(
      className,
      seen,
      "put the class's new name into pattern.ts, take the pattern out (npm run pattern -- remove)",
    ),
  ];
}

/** Patterns that are there, and that nothing serves. */
function notListed(patterns: readonly PatternFacts[], seen: Seen): readonly Problem[] {
  const listed = new Set(patterns.map(({ folder }) => folder));
  return seen
    .under("worker")
    .flatMap((path) => /^worker\/([^/]+)\/pattern\.ts$/.exec(path)?.[1] ?? [])
    .filter((folder) => !listed.has(folder))
    .map((folder) => ({
      where: folder,
      what: `worker/${folder}/pattern.ts is not in the list of worker/patterns.ts`,
      fix: "put it there, or take its folder out",
    }));
}

/** What classes lack that belong to no pattern, as one of a Worker that was adopted. */
function ofNoPattern(patterns: readonly PatternFacts[], seen: Seen): readonly Problem[] {
  const own = new Set(patterns.map((facts) => facts.class));
  // Not those that are only exported: worker/index.ts may export more than classes of objects.
  const found = new Set([...Object.values(seen.bindings), ...seen.declared, ...seen.alive]);
  return [...found]
    .filter((className) => !own.has(className))
    .flatMap((className) => {
      const lacks = seen.exported.includes(className)
        ? ofClass(className, seen, "write its new name into wrangler.jsonc, or take it out there")
        : [unknown(className)];
      return lacks.map((lack) => ({ where: className, ...lack }));
    });
}

/** Where nothing says that there is such a class, its name may be wrong: no word of what else it would need. */
const unknown = (className: string): Lack => ({
  what: `worker/index.ts does not export ${className}, which wrangler.jsonc or infra/migrations.ts names`,
  fix: "correct the name there, but never in a step that was released; or export the class",
});

/** What a class lacks, whoever it belongs to. `since`: what to do where the history has let it go. */
const ofClass = (className: string, seen: Seen, since: string): readonly Lack[] => [
  ...when(
    !seen.declared.includes(className),
    `exports in wrangler.jsonc has no ${className}`,
    `put "${className}": { "type": "durable-object", "storage": "sqlite" } into it`,
  ),
  ...when(
    !seen.alive.includes(className),
    `infra/migrations.ts does not leave a class ${className}`,
    seen.gone.includes(className)
      ? `a step has renamed, removed or sent it away: ${since}, or take that step out as long as it is not released`
      : "append a step that creates it, then npm run migrations -- lock",
  ),
];

/** What only one pattern may have. */
const OWN: Readonly<Record<string, (facts: PatternFacts) => readonly string[]>> = {
  folder: ({ folder }) => [folder],
  name: ({ name }) => [name],
  path: ({ path }) => [path],
  binding: ({ binding }) => [binding],
  class: (facts) => [facts.class],
  "key of the settings": ({ settings }) => Object.keys(settings),
};

function shared(patterns: readonly PatternFacts[]): readonly Problem[] {
  return Object.entries(OWN).flatMap(([what, valuesOf]) => {
    const first = new Map<string, string>();
    return patterns.flatMap((facts) =>
      valuesOf(facts).flatMap((value) => {
        const other = first.get(value);
        if (other === undefined) {
          first.set(value, facts.folder);
          return [];
        }
        const fix = `give one of them another in its pattern.ts${what === "name" ? ": never the one that has objects" : ""}`;
        return [{ where: facts.folder, what: `${other} has the ${what} ${value} too`, fix }];
      }),
    );
  });
}

function unknownNeeds(patterns: readonly PatternFacts[]): readonly Problem[] {
  const listed = new Set(patterns.map(({ folder }) => folder));
  return patterns.flatMap(({ folder, needs = [] }) =>
    needs
      .filter((needed) => !listed.has(needed))
      .map((needed) => ({
        where: folder,
        what: `it needs ${needed}, which is not in the list`,
        fix: "take it out of `needs`, with the code that uses it",
      })),
  );
}

/** Rows of the README that name a class by a name that it has no more: a later removal would not find them. */
const leftOver = ({ gone, readme }: Seen): readonly Problem[] =>
  gone
    .filter((className) => rowsWith(readme, [className]).length > 0)
    .map((className) => ({
      where: "README.md",
      what: `a row of a table has ${className}, which infra/migrations.ts leaves no more`,
      fix: "write the class's new name there, or take the row out",
    }));
