/**
 * What the SQL schemas of objects say about code that meets them: pure. An object has the tables of the newest release
 * that woke it, and keeps them when an older one serves again. A step that older code cannot live with raises the
 * rollback floor; a release that lacks such a step cannot be deployed any more.
 */
import { type Move, staysAlive } from "@durable-stack/class-lifecycle";
import type { ClassSchema, Schemas } from "../../../contract/release.ts";
import { patterns } from "../../../worker/patterns.ts";
import { shortDigest } from "../../release/manifest.ts";
import type { Finding } from "./codes.ts";

/** A version by what counts here. */
interface Version {
  readonly versionId: string;
  readonly number: number;
  /** Undefined: it is from before they were recorded. */
  readonly schemas: Schemas | undefined;
}

/**
 * The newest schema of each class that objects may have. Every version that was in a deployment counts, at 0 % too:
 * a request can name it. Cloudflare lists only the last deployments, so every version before one of theirs counts as well.
 * `earlier`: versions from before the classes last changed, by the names of now. A schema of theirs that those after it
 * contradict is past mending: it counts no more.
 */
export function schemasInUse(
  versions: readonly Version[],
  deployed: readonly { readonly versionId: string }[],
  earlier: readonly Version[] = [],
): Schemas {
  const ids = new Set(deployed.map(({ versionId }) => versionId));
  const numbers = [...versions, ...earlier].filter(({ versionId }) => ids.has(versionId)).map(({ number }) => number);
  const newest = Math.max(0, ...numbers);
  const inUse: Record<string, ClassSchema> = {};
  for (const { schemas = {} } of versions.filter(({ number }) => number <= newest)) {
    for (const [className, schema] of Object.entries(schemas)) {
      if (schema.steps.length >= (inUse[className]?.steps.length ?? 0)) inUse[className] = schema;
    }
  }
  for (const { schemas = {} } of earlier.filter(({ number }) => number <= newest)) {
    for (const [className, schema] of Object.entries(schemas)) {
      const since = inUse[className] ?? NONE;
      if (schema.steps.length > since.steps.length && changedStep(schema, since) === undefined) {
        inUse[className] = schema;
      }
    }
  }
  return inUse;
}

const NONE: ClassSchema = { steps: [], needs: 0 };

/** The index of the first step that is another one in `next` than in `before`; undefined: as far as both go, they agree. */
function changedStep(next: ClassSchema, before: ClassSchema): number | undefined {
  const common = Math.min(next.steps.length, before.steps.length);
  const at = next.steps.slice(0, common).findIndex((hash, index) => hash !== before.steps[index]);
  return at < 0 ? undefined : at;
}

/** Number of the first of `versions` from which on all can live with `inUse`; undefined: there is none. */
export function floorOf(versions: readonly Version[], inUse: Schemas): number | undefined {
  if (versions.length === 0) return undefined;
  const tooOld = versions.filter(({ schemas }) => lacking(schemas, inUse).length > 0).map(({ number }) => number);
  return Math.max(Math.min(...versions.map(({ number }) => number)), ...tooOld.map((number) => number + 1));
}

/** Classes whose tables code with `schemas` cannot work with. */
export const lacking = (schemas: Schemas | undefined, inUse: Schemas): readonly string[] =>
  Object.entries(inUse).flatMap(([className, { needs }]) =>
    needs > (schemas?.[className]?.steps.length ?? 0) ? [className] : [],
  );

/** Where the tables of a class are written. One that has left its pattern since is in none. */
const fileOf = (className: string): string =>
  `worker/${patterns.find((facts) => facts.class === className)?.folder ?? "<pattern>"}/schema.ts`;

export interface SchemaPlan {
  /** Whether no earlier version can serve again once the release has had traffic. */
  readonly raisesFloor: boolean;
  readonly findings: readonly Finding[];
}

export interface SchemaSituation {
  readonly release: { readonly digest: string; readonly schemas?: Schemas | undefined };
  /** What objects may have by now, by the classes' names as they are live. */
  readonly inUse: Schemas;
  readonly moves: readonly Move[];
  /** The release's share of the traffic, and whether another version has the rest. */
  readonly share: number;
  readonly stack: string;
}

/** How a release's schemas stand to those of the objects. */
export function schemaPlan({ release, inUse, moves, share, stack }: SchemaSituation): SchemaPlan {
  const met = renamed(inUse, moves);
  const classes = Object.entries(release.schemas ?? {}).map(([className, next]) => ({
    className,
    next,
    live: met[className] ?? NONE,
  }));
  const changed = classes.flatMap(({ className, next, live }): Finding[] => {
    const at = changedStep(next, live);
    if (at === undefined) return [];
    return [
      {
        code: "schema_step_changed",
        subject: className,
        message: `step ${at + 1} of its tables is not the one that objects of ${stack} have run already.`,
        fix: `put step ${at + 1} back as it was released (${fileOf(className)}), and append what is to change as a step of its own.`,
      },
    ];
  });
  const behind = lacking(release.schemas, met).map(
    (className): Finding => ({
      code: "schema_left_behind",
      subject: className,
      message: `objects of ${stack} may have step ${met[className]?.needs} of its tables, which code without it cannot live with, and release ${shortDigest(release.digest)} has ${release.schemas?.[className]?.steps.length ?? 0}.`,
      fix: "deploy a release that has this step; to undo a change, append a step that does.",
    }),
  );
  const raising =
    changed.length > 0 ? [] : classes.filter(({ next, live }) => isUsed(live) && next.needs > live.steps.length);
  const raises = raising.length > 0 && share > 0;
  return {
    raisesFloor: raises,
    findings: [
      ...changed,
      ...behind,
      ...(raises ? raising.map(({ className, next }) => told(className, next, share)) : []),
    ],
  };
}

function told(className: string, { needs }: ClassSchema, share: number): Finding {
  if (share < 100) {
    return {
      code: "schema_needs_full_rollout",
      subject: className,
      message: `step ${needs} of its tables is one that older code cannot live with, and during a rollout both versions meet the same objects.`,
      fix: "set rollout to 100 for this release; or split the change into two releases: first code that works with both, then the step (docs/change-a-class.md).",
    };
  }
  return {
    code: "schema_raises_floor",
    subject: className,
    message: `step ${needs} of its tables is one that older code cannot live with: once this release serves, no earlier version can serve again.`,
    fix: "nothing, if it is meant; a change in two releases keeps the way back (docs/change-a-class.md).",
  };
}

const isUsed = ({ steps }: ClassSchema) => steps.length > 0;

/** The schemas by the names that the classes get; those of classes that go are left out. */
function renamed(inUse: Schemas, moves: readonly Move[]): Schemas {
  const names = new Map<string, string | undefined>();
  for (const move of moves) {
    if (move.kind === "rename") names.set(move.from, move.className);
    if (!staysAlive(move)) names.set(move.className, undefined);
  }
  return Object.fromEntries(
    Object.entries(inUse).flatMap(([name, schema]) => {
      const now = names.has(name) ? names.get(name) : name;
      return now === undefined ? [] : [[now, schema]];
    }),
  );
}
