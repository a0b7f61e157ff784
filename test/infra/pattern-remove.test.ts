/** npm run pattern -- remove: what becomes of the history, which may have let the class go already. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Change,
  checkLock,
  formatLock,
  LOCK_FILE,
  lint,
  type Migration,
  stepsSource,
} from "@durable-stack/class-lifecycle";
import { expect, it } from "vitest";
import { Draft } from "../../infra/init/draft.ts";
import { removePatterns } from "../../infra/pattern/remove.ts";
import { ROOT } from "../../infra/release/root.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";

const HISTORY = "infra/migrations.ts";
const [{ folder, class: gone }] = patterns;
const others: readonly PatternFacts[] = patterns.slice(1);

/** A history that creates all classes, and then makes a change. `created`: the name that the first class begins with. */
const having = (change: Change, created: string = gone): readonly Migration[] => [
  {
    name: "0001-create",
    changes: ["StaysDO", created, ...others.map((facts) => facts.class)].map((className) => ({
      op: "create",
      className,
      storage: "sqlite",
    })),
  },
  { name: "0002-by-hand", changes: [change] },
];

/** Takes patterns out of this project, as if it had that history. */
function removed(migrations: readonly Migration[], released: readonly string[], folders: readonly string[] = [folder]) {
  const own: Readonly<Record<string, string>> = {
    [HISTORY]: `export const { migrations } = history()${stepsSource(migrations)};\n`,
    [LOCK_FILE]: formatLock(migrations),
  };
  const draft = new Draft({
    read: (file) => own[file] ?? (existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), "utf8") : undefined),
    has: (path) => existsSync(join(ROOT, path)),
  });
  const removal = removePatterns(draft, folders, {
    project: "my",
    patterns,
    migrations,
    stacks: [],
    paths: [],
    released,
  });
  expect(lint(removal.migrations)).toEqual([]);
  expect(checkLock(removal.migrations, draft.read(LOCK_FILE) ?? null)).toEqual([]);
  const changed = draft.changes.map(({ path }) => path).filter((path) => path === HISTORY || path === LOCK_FILE);
  return { ...removal, changed };
}

const SENT = having({ op: "send", className: gone, toWorker: "bank" });
const DELETED = having({ op: "remove", className: gone });
const TAG = ["git has the tag v1"];

it.each([
  ["sent to another Worker", SENT, TAG],
  ["deleted by hand", DELETED, TAG],
  ["sent to another Worker, where nothing was released", SENT, []],
  ["deleted by hand, where nothing was released", DELETED, []],
  ["under another name than the code has", having({ op: "rename", from: gone, to: "FormerDO" }), TAG],
])("a class that the history has %s leaves it and its lock as they are", (_, migrations, released) => {
  expect(removed(migrations, released)).toMatchObject({ deleted: [], absent: [gone], migrations, changed: [] });
});

it.skipIf(others.length === 0)("of two patterns, the step deletes only the class that is there", () => {
  const [other] = others;
  if (!other) return;
  const { deleted, absent, because, migrations } = removed(SENT, TAG, [folder, other.folder]);
  expect({ deleted, absent, because }).toEqual({ deleted: [other.class], absent: [gone], because: TAG });
  expect(migrations.at(-1)).toEqual({
    name: `0003-remove-${other.folder}`,
    changes: [{ op: "remove", className: other.class }],
  });
});

it("a class that was never released, and that the history has renamed, is deleted by a step that says why", () => {
  const migrations = having({ op: "rename", from: "FormerDO", to: gone }, "FormerDO");
  const { deleted, because } = removed(migrations, []);
  expect(deleted).toEqual([gone]);
  expect(because).toEqual([`the history does more than create ${gone}, so it cannot forget it`]);
});
