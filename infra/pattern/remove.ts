/**
 * What a project becomes when patterns are taken out of it, as changes of files. Pure: nothing is read but through
 * `files`.
 */
import { type Migration, replay } from "@durable-stack/class-lifecycle";
import type { PatternFacts } from "../../worker/pattern.ts";
import type { Draft } from "../init/draft.ts";
import { scriptsOf, withoutRows, withoutScripts } from "../init/text.ts";
import { ownFile } from "../stack/project.ts";
import { historyWithoutClass, nextStepName } from "./history.ts";
import { addStep, replaceHistory } from "./history-files.ts";
import { MADE } from "./made.ts";
import { belongsTo } from "./packages.ts";
import { withoutPatterns } from "./pages.ts";
import { withoutKeys } from "./settings.ts";
import { withoutFolders } from "./source.ts";
import { speaksOf, uses } from "./uses.ts";
import { withoutClass, withoutSetting } from "./wrangler.ts";

/** The project that patterns are taken out of. */
interface BeforeRemoval {
  /** The project's name, which may stand in front of its settings. */
  readonly project: string;
  readonly patterns: readonly PatternFacts[];
  readonly migrations: readonly Migration[];
  readonly stacks: readonly string[];
  /** Every file of the project that git knows or would add, by its path. */
  readonly paths: readonly string[];
  /** Why the history may be known somewhere, in words; none: nothing was released that has it. */
  readonly released: readonly string[];
}

const PACKAGE = "package.json";

/** Patterns whose code uses this one's, by their folders. */
export const dependentsOf = (patterns: readonly PatternFacts[], folder: string): readonly string[] =>
  patterns.filter(({ needs = [] }) => needs.includes(folder)).map((facts) => facts.folder);

/** What stands against taking them out, a sentence each. */
export function obstaclesToRemoval(
  folders: readonly string[],
  { patterns }: Pick<BeforeRemoval, "patterns">,
): string[] {
  const known = patterns.map(({ folder }) => folder);
  const unknown = folders.filter((folder) => !known.includes(folder));
  if (unknown.length) {
    return unknown.map((folder) => `${folder}: there is no such pattern. There are: ${known.join(", ")}.`);
  }
  const kept = patterns.filter(({ folder }) => !folders.includes(folder));
  if (kept.length === 0) return ["A project without any pattern has no class left. Keep one, or add another first."];
  return folders.flatMap((needed) =>
    dependentsOf(kept, needed).map(
      (folder) =>
        `${folder} needs ${needed} (worker/${folder}/pattern.ts): keep ${needed}, or leave ${folder} out, too.`,
    ),
  );
}

export interface Removal {
  /** The classes that a step of the history deletes; none where the history forgets them. */
  readonly deleted: readonly string[];
  /** Why it does not forget those, in words. */
  readonly because: readonly string[];
  /** The classes that the history does not leave: it sent or removed them before, or has them under another name. */
  readonly absent: readonly string[];
  /** The history then. */
  readonly migrations: readonly Migration[];
  /** Documents, tests and scripts of package.json that speak of what is gone, or try it. They are left as they are. */
  readonly speaking: readonly string[];
}

/** What to tell a person of these; nothing if there are none. */
export const stillSpeaking = (folders: readonly string[], speaking: readonly string[]): readonly string[] =>
  speaking.length > 0 ? [`These still speak of ${folders.join(", ")}: ${speaking.join(", ")}`] : [];

const isPage = (path: string): boolean => path.endsWith(".md");

/** Takes the patterns out. What stands against it was asked before. */
export function removePatterns(draft: Draft, folders: readonly string[], project: BeforeRemoval): Removal {
  const gone = project.patterns.filter(({ folder }) => folders.includes(folder));
  for (const { folder } of gone) {
    draft.remove(`worker/${folder}/`, "the pattern");
    draft.remove(`test/${folder}/`, "its tests and tools");
    draft.remove(`docs/${folder}.md`, "its guide");
  }
  for (const file of ["worker/index.ts", "worker/patterns.ts"]) {
    draft.edit(file, `without ${folders.join(", ")}`, (text) => withoutFolders(file, text, folders));
  }
  const classes = gone.map((facts) => facts.class);
  const keys = gone.flatMap(({ settings }) => Object.keys(settings));
  draft.edit("wrangler.jsonc", `without ${classes.join(", ")}`, (text) =>
    keys.reduce(withoutSetting, classes.reduce(withoutClass, text)),
  );
  for (const file of ["Pulumi.yaml", ...project.stacks.map(ownFile)]) {
    draft.edit(file, `without ${keys.join(", ")}`, (text) => withoutKeys(text, keys, project.project));
  }
  const { alone, beside } = scriptsOf(draft.read(PACKAGE) ?? "{}", folders);
  draft.edit(PACKAGE, `without ${alone.join(", ")}`, (text) => withoutScripts(text, alone));
  // What is made anew speaks of nothing that is gone.
  const made = MADE.map((file) => file.path);
  const stays = project.paths.filter((path) => !made.includes(path) && !belongsTo(folders, path));
  for (const page of new Set(["README.md", ...stays.filter(isPage)])) {
    draft.edit(page, `without ${folders.join(", ")}`, (text) =>
      withoutPatterns(page === "README.md" ? withoutRows(text, classes) : text, page, folders),
    );
  }
  const history = removeFromHistory(draft, gone, project);
  const asks = (path: string) => (isPage(path) ? speaksOf : path.startsWith("test/") ? uses : undefined);
  const speaking = stays.filter((path) => {
    const speaks = asks(path);
    // The list of changes tells the past.
    if (!speaks || path === "CHANGELOG.md") return false;
    return gone.some((facts) => speaks(draft.read(path) ?? "", facts));
  });
  return { ...history, speaking: [...(beside.length > 0 ? [`${PACKAGE} (${beside.join(", ")})`] : []), ...speaking] };
}

/**
 * The classes go out of the history where nobody knows it, else by a step more. One that it does not leave is none of its
 * business any more.
 */
function removeFromHistory(
  draft: Draft,
  gone: readonly PatternFacts[],
  { migrations: before, released }: BeforeRemoval,
): Omit<Removal, "speaking"> {
  const alive = replay(before);
  const going = gone.filter((facts) => alive.has(facts.class));
  const classes = going.map((facts) => facts.class);
  const absent = gone.map((facts) => facts.class).filter((className) => !alive.has(className));
  if (going.length === 0) return { deleted: [], because: [], absent, migrations: before };

  const { forgotten, stays } = withoutClasses(before, classes);
  if (released.length === 0 && stays.length === 0) {
    replaceHistory(draft, `without ${classes.join(", ")}: nothing was released`, { before, after: forgotten });
    return { deleted: [], because: [], absent, migrations: forgotten };
  }
  const because =
    released.length > 0
      ? released
      : [
          `the history does more than create ${stays.join(", ")}, so it cannot forget ${stays.length > 1 ? "them" : "it"}`,
        ];
  const name = nextStepName(before, `remove-${going.map(({ folder }) => folder).join("-")}`);
  const migrations = addStep(draft, before, {
    name,
    changes: classes.map((className) => ({ op: "remove", className })),
  });
  return { deleted: classes, because, absent, migrations };
}

/** The history as if these classes had never been, and those of them of which that cannot be told. */
function withoutClasses(migrations: readonly Migration[], classes: readonly string[]) {
  let forgotten = migrations;
  const stays = classes.filter((className) => {
    const without = historyWithoutClass(forgotten, className);
    forgotten = without ?? forgotten;
    return without === undefined;
  });
  return { forgotten, stays };
}
