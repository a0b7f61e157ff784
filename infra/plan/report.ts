/** The preview as a person reads it: one block of text, the same in `pulumi preview`, `npm start` and `migrations plan`. */
import type { Move, Plan } from "@durable-stack/class-lifecycle";
import { OBJECTS_LIMIT, type ObjectCount } from "./account/reads.ts";
import { WORKERS_DEV } from "./addresses/changes.ts";
import type { BindingChange } from "./claims/bindings.ts";
import { noColors, type Paint, type Tone } from "./paint.ts";
import type { Preview } from "./preview/preview.ts";
import type { RegionChange } from "./rules/regions.ts";
import { servesAsWanted } from "./traffic/split.ts";
import { trafficAfter, trafficBefore } from "./traffic/words.ts";

type Line = readonly [tone: Tone | undefined, text: string];

/** State and steps, then classes, traffic, rollback floor, addresses, bindings and regions. How to read it: docs/read-the-plan.md. */
export function report(preview: Preview, paint: Paint = noColors): string {
  const sections: readonly (readonly [title: string, lines: readonly Line[]])[] = [
    ["account", accountLines(preview)],
    ["classes", classLines(preview)],
    // Of a plan that is refused nothing comes after.
    ["traffic", isRefused(preview) ? trafficNow(preview) : trafficLines(preview)],
    ["rollback", isRefused(preview) ? [] : [[undefined, floorLine(preview)]]],
    ["addresses", addressLines(preview)],
    ["bindings", bindingLines(preview)],
    ["regions", preview.regions.map((change) => regionLine(change))],
  ];
  const body = sections.flatMap(([title, lines]) =>
    lines.map(
      ([tone, text], i) => `  ${paint("faint", (i ? "" : title).padEnd(10))}${tone ? paint(tone, text) : text}`,
    ),
  );
  return [paint("strong", headline(preview)), ...body].join("\n");
}

/** What changes, a line each, without counts that move while nobody does anything: what a reviewer approves. */
export function changes(preview: Preview): readonly string[] {
  const lines: readonly (Line | undefined)[] = [
    ...accountLines(preview),
    ...(preview.uploads ? preview.plan.moves.map((move) => changeLine(move)) : []),
    ...trafficLines(preview),
    ...(raisesFloor(preview) && !isFirst(preview) ? [["changed", NO_WAY_BACK] as const] : []),
    ...addressLines(preview),
    ...preview.bindings.map(bindingLine),
    ...preview.regions.map(regionLine),
  ];
  return lines.flatMap((line) => (line?.[0] === undefined ? [] : [line[1].trim()]));
}

/** `durable-stack-staging: behind, 0001-create -> 0002-rename`. */
function headline({ settings, plan, errors, uploads }: Preview): string {
  const takeover = plan.adopts ? ", taken over from what deployed it" : "";
  const refused = errors.length ? `; refused, ${errors.length} error${errors.length === 1 ? "" : "s"}` : "";
  return `${settings.workerName}: ${plan.state}, ${uploads ? wayOf(plan) : `stays at ${plan.from ?? "nothing"}`}${takeover}${refused}`;
}

function wayOf({ from, to }: Plan): string {
  if (from === undefined) return `to ${to}`;
  return from === to ? `at ${to}` : `${from} -> ${to}`;
}

function accountLines({ settings, ownWorker, claims }: Preview): readonly Line[] {
  const { renamedFrom } = ownWorker;
  return [
    ...(renamedFrom === undefined
      ? []
      : ([
          [
            "changed",
            `~ Worker ${renamedFrom} is called ${settings.workerName}, with its versions and all its objects`,
          ],
        ] as const)),
    ...claims.found.map(
      ({ what, because }): Line => ["changed", `takes over ${what}, found in the account: ${because}`],
    ),
  ];
}

function classLines({ plan: { moves }, objects, uploads }: Preview): readonly Line[] {
  // What the release would change does not happen.
  if (!uploads) return [[undefined, "no changes: the release is not uploaded"]];
  const changes = moves.map((move) => changeLine(move, objects)).filter((line) => line !== undefined);
  const same = moves.length - changes.length;
  if (changes.length === 0) return [[undefined, same ? `no changes to ${same}` : "none"]];
  return same
    ? [...changes, [undefined, `  ${same} more ${same === 1 ? "stays as it is" : "stay as they are"}`]]
    : changes;
}

/** What happens to a class that changes: `- SessionDO, with its 12 objects`. */
export function changeLine(move: Move, objects: ReadonlyMap<string, ObjectCount> = new Map()): Line | undefined {
  const data = (className: string) => `with ${shownCount(objects.get(className))}`;
  switch (move.kind) {
    case "keep":
      return move.fromWorker === undefined
        ? undefined
        : ["changed", `~ ${move.className} waits for its objects from ${move.fromWorker}`];
    case "create":
      return ["added", `+ ${move.className} (${move.storage})`];
    case "receive":
      return ["added", `+ ${move.className} (${move.storage}), to be taken over from ${move.fromWorker}`];
    case "rename":
      return ["changed", `~ ${move.from} -> ${move.className}, ${data(move.from)}`];
    case "delete":
      return ["removed", `- ${move.className}, ${data(move.className)}`];
    case "send":
      return ["removed", `- ${move.className}, handed to ${move.toWorker} ${data(move.className)}`];
    case "cancel":
      return ["changed", `~ ${move.className} waits no more for its objects, which stay with ${move.fromWorker}`];
  }
}

/** `all its objects` where nobody has counted, else `its 12 objects`. */
function shownCount(counted: ObjectCount | undefined): string {
  if (!counted) return "all its objects";
  if (counted.more) return `its ${OBJECTS_LIMIT.toLocaleString("en")}+ objects`;
  return counted.count === 0 ? "no objects in it" : `its ${counted.count} object${counted.count === 1 ? "" : "s"}`;
}

const isRefused = ({ errors }: Preview): boolean => errors.length > 0;

/** That the traffic stays as it is. */
function trafficNow({ live }: Preview): readonly Line[] {
  return live.serving.length > 0 ? [[undefined, `stays: ${trafficBefore({ live }).join(", ")}`]] : [];
}

function trafficLines(preview: Preview): readonly Line[] {
  const { live, traffic, tag, uploads } = preview;
  const before = trafficBefore(preview);
  const renewedBecause = uploads && traffic.release > 0 ? preview.renewedBecause : undefined;
  if (renewedBecause === undefined && servesAsWanted(live.serving, tag, traffic)) return trafficNow(preview);
  return [
    [undefined, `before: ${before.join(", ") || "nothing"}`],
    ["changed", `after:  ${trafficAfter(preview).join(", ")}`],
    ...(renewedBecause === undefined
      ? []
      : ([["changed", `        the release becomes a version once more: ${renewedBecause}`]] as const)),
  ];
}

const NO_WAY_BACK = "nothing before this release can serve again";
const raisesFloor = ({ plan, schema, uploads }: Pick<Preview, "plan" | "schema" | "uploads">): boolean =>
  uploads && (plan.changesLifecycle || schema.raisesFloor);

/** Whether nothing was ever deployed there, so that no version loses its way back. */
const isFirst = ({ live }: Preview): boolean => live.versions.length === 0;

function floorLine(preview: Preview): string {
  const { rollbackFloor } = preview.live;
  if (isFirst(preview)) return "nothing to go back to: it is the first release";
  if (raisesFloor(preview)) {
    const before = rollbackFloor === undefined ? "" : `was version ${rollbackFloor}; `;
    return `${before}${NO_WAY_BACK}`;
  }
  return rollbackFloor === undefined ? "no floor" : `back to version ${rollbackFloor} at most`;
}

function addressLines({ addresses: { changes, staysOnWorkersDev, isWithoutState } }: Preview): readonly Line[] {
  const maybe = isWithoutState ? ", where the state has it" : "";
  return [
    ...changes.map(({ kind, address }): Line => {
      if (kind === "added") return [kind, `+ ${address}`];
      if (kind === "changed") {
        return [kind, `~ ${address} is deleted and made anew for the Worker's new name: until then it answers nowhere`];
      }
      return [kind, `- ${address}${address === WORKERS_DEV ? "" : maybe}`];
    }),
    ...(staysOnWorkersDev
      ? [
          [
            undefined,
            "  workers.dev stays for this update: one that finds the others there, and gives the release all traffic, turns it off",
          ] as const,
        ]
      : []),
  ];
}

const bindingLines = ({ bindings, unknownBindings, settings }: Preview): readonly Line[] => [
  ...bindings.map((change) => bindingLine(change)),
  ...(unknownBindings
    ? [[undefined, `? those of infra/index.ts: only the program knows them (${programLine(settings.stack)})`] as const]
    : []),
];

/** The command that runs the program, and shows its plan. */
const programLine = (stack: string): string => `npm run preview -- --stack ${stack}`;

const bindingLine = ({ name, kind, what, loss }: BindingChange): Line => [
  kind,
  kind === "added" ? `+ ${name}` : `- ${name} (${what})${loss === undefined ? "" : `, ${loss}`}`,
];

function regionLine(change: RegionChange): Line {
  const { id, prefix } = change;
  switch (change.kind) {
    case "added":
      return ["added", `+ ${id} (${prefix})`];
    case "removed":
      return ["removed", `- ${id} (${prefix})`];
    case "prefix":
      return ["removed", `~ ${id}: names begin with ${change.to}, not ${prefix}`];
    case "id":
      return ["removed", `~ ${id} (${prefix}) is called ${change.to}`];
    case "home":
      return ["removed", `~ the home region is ${change.to}, not ${id}`];
    case "jurisdiction":
      return ["removed", `~ ${id} (${prefix}): jurisdiction ${change.from} -> ${change.to}`];
  }
}

/** The preview as data, for programs: what `report` says, and the `exports` map that would be sent. */
export function planData({
  settings,
  release,
  live,
  ownWorker,
  claims,
  plan,
  traffic,
  tag,
  renewedBecause,
  schema,
  regions,
  addresses,
  bindings,
  unknownBindings,
  objects,
  uploads,
  errors,
  warnings,
}: Preview) {
  return {
    stack: settings.stack,
    worker: settings.workerName,
    renamedFrom: ownWorker.renamedFrom ?? null,
    takesOver: claims.found,
    state: plan.state,
    from: plan.from ?? null,
    to: plan.to,
    adopts: plan.adopts,
    changesLifecycle: plan.changesLifecycle,
    release: { digest: release.digest, tag, renewedBecause: renewedBecause ?? null },
    moves: plan.moves,
    exports: plan.exports,
    objects: Object.fromEntries(objects),
    serving: live.serving,
    traffic: { release: traffic.release, stable: traffic.stable ?? null },
    rollbackFloor: live.rollbackFloor ?? null,
    raisesFloor: raisesFloor({ plan, schema, uploads }),
    regions,
    addresses,
    bindings,
    unknownBindings,
    errors,
    warnings,
  };
}
