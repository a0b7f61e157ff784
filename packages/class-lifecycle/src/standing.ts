/** Where an environment stands in the history: which steps are done there, and what does not match. */
import type { Finding } from "./findings.ts";
import type { Migration, Storage } from "./history.ts";
import { hashes } from "./lock.ts";
import { applyChange, type LiveClasses, replay } from "./replay.ts";
import type { Live } from "./situation.ts";

/** An environment's relation to the history. Only the first three deploy. */
export type State = "fresh" | "behind" | "in sync" | "ahead" | "diverged" | "unmanaged";

/** An environment's state, and how many steps are done there. */
export interface Standing {
  readonly state: State;
  readonly at: number;
  /** Whether something else has made the classes those of a later step than the one that the live release recorded. */
  readonly movedOn?: boolean;
  readonly adopts: boolean;
  readonly findings: readonly Finding[];
}

/** Finds out where the environment stands, and what is wrong there. */
export function standingOf(migrations: readonly Migration[], live: Live, adopt: boolean): Standing {
  if (live.classes === undefined) return standing("fresh", 0);
  if (live.step === undefined) return adopt ? adoption(migrations, live, live.classes) : unmanaged(live.classes);
  const { name, history } = live.step;
  const index = migrations.findIndex((migration) => migration.name === name);
  if (index < 0) return unknownStep(name, migrations);
  const done = index + 1;
  if (hashes(migrations)[index] !== history) return standing("diverged", done, editedPast(name));
  const differences = compare(replay(migrations, done), live.classes, name);
  const at = differences.length ? laterStep(migrations, done, live.classes) : done;
  if (at === undefined) return standing("diverged", done, ...differences);
  return { ...standing(stateAt(at, migrations), at, ...(adopt ? [ADOPT_FINISHED] : [])), movedOn: at > done };
}

/** The standing of an environment that is not taken over. */
const standing = (state: State, at: number, ...findings: readonly Finding[]): Standing => ({
  state,
  at,
  adopts: false,
  findings,
});

/** The state of an environment in which so many steps are done, and its classes are theirs. */
const stateAt = (at: number, migrations: readonly Migration[]): State =>
  at === migrations.length ? "in sync" : "behind";

const ADOPT_FINISHED: Finding = {
  code: "adopt_finished",
  subject: "adopt",
  message: "this stack has taken its Worker over already.",
  fix: "remove adopt from its config, so that it never takes over another Worker by mistake.",
};

/** The standing of an environment whose last step the history does not have. Names of steps are in order. */
function unknownStep(name: string, migrations: readonly Migration[]): Standing {
  const last = migrations.at(-1)?.name ?? "";
  if (name > last) {
    return standing("ahead", 0, {
      code: "state_ahead",
      subject: name,
      message: `a newer release is live at this step, and this release's history ends at ${last}.`,
      fix: "deploy a release built from a commit that has this step. Where another stack has missed this release: docs/runbooks.md#a-stack-that-missed-a-release.",
    });
  }
  return standing("diverged", 0, {
    code: "state_diverged",
    subject: name,
    message: "the live release recorded this step, but the history does not have it.",
    fix: "restore the step in infra/migrations.ts as the live release's commit has it.",
  });
}

const editedPast = (name: string): Finding => ({
  code: "state_diverged",
  subject: name,
  message:
    "the live release recorded this step with another past than the history has now: a released step was edited.",
  fix: "restore the steps up to this one as the live release's commit has them, and append a new step instead.",
});

/**
 * The first step after `done` that has exactly the live classes: it says what something else did to them. Not one that
 * receives a class which is here without having come from there.
 */
function laterStep(migrations: readonly Migration[], done: number, live: LiveClasses): number | undefined {
  const before = new Map([...replay(migrations, done)].map(([name, { storage }]) => [name, { storage }]));
  const steps = Array.from({ length: migrations.length - done }, (_, i) => done + 1 + i);
  return steps.find((at) => {
    if (!matches(replay(migrations, at), live)) return false;
    const since = migrations.slice(done, at).flatMap(({ changes }) => changes);
    const received = [...since.reduce(applyChange, before)].filter(([, { fromWorker }]) => fromWorker !== undefined);
    return received.every(([name]) => live.get(name)?.fromWorker !== undefined);
  });
}

/** The standing of a Worker that something else deployed and that the stack may not take over. */
function unmanaged(classes: LiveClasses): Standing {
  return standing("unmanaged", 0, {
    code: "state_unmanaged",
    subject: "live Worker",
    message: `something else deployed it (classes: ${shown(classes)}), and it records no step of this history.`,
    fix: "take it over with its objects (docs/adopt.md), or leave it alone: under another workerName this stack begins without objects.",
  });
}

/**
 * A Worker that something else deployed stands at the last step whose classes are exactly the live ones: of several
 * such steps, the last needs the fewest changes. If no step matches, the Worker is not taken over.
 */
function adoption(migrations: readonly Migration[], { complete }: Live, classes: LiveClasses): Standing {
  if (!complete) {
    return standing("unmanaged", 0, {
      code: "adopt_unreadable",
      subject: "live Worker",
      message: "its Durable Object namespaces cannot be read, so they cannot be compared with the history.",
      fix: "export CLOUDFLARE_API_TOKEN with a token that may read Workers Scripts.",
    });
  }
  const steps = migrations.map((_, i) => migrations.length - i);
  const at = steps.find((done) => matches(replay(migrations, done), classes));
  if (at !== undefined) return { ...standing(stateAt(at, migrations), at), adopts: true };
  return standing("unmanaged", 0, {
    code: "adopt_unmatched",
    subject: "live Worker",
    message: `its classes (${shown(classes)}) match no step of the history, which ends with ${shown(replay(migrations))}.`,
    fix: "begin infra/migrations.ts with the history that `npm run migrations -- import --worker <name>` prints.",
  });
}

const shown = (classes: LiveClasses): string =>
  [...classes]
    .map(([name, { storage }]) => (storage === "sqlite" ? name : `${name} (${storage})`))
    .sort()
    .join(", ") || "none";

/** Whether a namespace may have `live` storage where the history says `told`: a new one has SQLite, whatever an old one has. */
const canBe = (live: Storage, told: Storage): boolean => live === told || told === "legacy-kv";

/** Whether the live classes are exactly those that the history expects. */
const matches = (expected: LiveClasses, live: LiveClasses): boolean =>
  expected.size === live.size &&
  [...live].every(([name, { storage }]) => {
    const wanted = expected.get(name);
    return wanted !== undefined && canBe(storage, wanted.storage);
  });

/** The differences between the classes that the history expects and the live ones. */
function compare(expected: LiveClasses, live: LiveClasses, step: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [name, { storage }] of live) {
    const wanted = expected.get(name);
    if (!wanted) {
      findings.push({
        code: "orphaned_provisioned_namespace",
        subject: name,
        message: `the class is live, but after step ${step} the history does not have it: something else created it.`,
        fix: "find what created it (`wrangler deployments list`), and append a step that says what happened: that creates it, or renames the class that it was. If nobody needs its objects, append one more that removes it.",
      });
    } else if (!canBe(storage, wanted.storage)) {
      findings.push({
        code: "storage_type_mismatch",
        subject: name,
        message: `its namespace has ${storage} storage, but the history says ${wanted.storage}, and storage never changes in place: it is another class than the history's.`,
        fix: `find what created it (\`wrangler deployments list\`), and append a step that removes the class and one that creates it with ${storage}, which says what happened.`,
      });
    }
  }
  for (const name of expected.keys()) {
    if (live.has(name)) continue;
    findings.push({
      code: "state_diverged",
      subject: name,
      message: `after step ${step} the class should be live, but it is not: something else renamed, deleted or moved it.`,
      fix: "find what did it (`wrangler deployments list`), and append a step that says what happened.",
    });
  }
  return findings;
}
