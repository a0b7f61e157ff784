/**
 * The comment on a pull request: pure. What the pull request's code has found is data here; its texts stand in fences,
 * and the rest are names, digests and numbers, which found.ts has checked.
 */
import { kib, shortDigest } from "../release/manifest.ts";
import type { Facts, SideFacts, StackPlan } from "./found.ts";
import { folded, joined, type Part, table } from "./markdown.ts";

/** What a comment of ours begins with, so that it is found again. */
export const MARKERS = {
  preview: "<!-- durable-stack: preview -->",
  stack: "<!-- durable-stack: stack -->",
} as const;
export type Kind = keyof typeof MARKERS;

export interface PreviewComment {
  /** Undefined: the run did not get that far. */
  readonly facts: Facts | undefined;
  readonly plans: readonly StackPlan[];
  /** The commit that was looked at: hex digits. */
  readonly commit: string;
  /** The run's address; undefined: it was no run, but somebody at home. */
  readonly run: URL | undefined;
  /** Whether the pull request comes from a fork, whose runs have no token. */
  readonly fork: boolean;
}

/** The comment of a preview, within GitHub's limit. */
export function previewComment({ facts, plans, commit, run, fork }: PreviewComment): string {
  const head = `${MARKERS.preview}\n### What commit ${commit.slice(0, 12)} changes`;
  const whole = run === undefined ? [] : [`[The run](${run.href}) has all of it.`];
  if (facts === undefined) {
    return joined([head, "**The preview failed** before there was something to tell: see its run.", ...whole]);
  }
  if (changesNothing(facts)) {
    return joined([
      `${head}\n\nNothing that is deployed: release \`${shortDigest(facts.after.digest)}\` is the base's, and so are the history, the rows, the stacks' settings and the program.`,
    ]);
  }
  return joined([
    head,
    ...historyParts(facts),
    ...classParts(facts),
    ...sizeParts(facts),
    ...rowParts(facts),
    ...settingParts(facts),
    ...rehearsalParts(facts),
    ...(run === undefined ? [] : planParts(plans, fork)),
    ...whole,
  ]);
}

/** Whether a deployment of either would do the same. */
function changesNothing({ before, after, rehearsal, ...rest }: Facts): boolean {
  const same = "digest" in before && before.digest === after.digest;
  const { history, steps, classes, rows, settings, program } = rest;
  return same && rehearsal.ok && [history, steps, classes, rows, settings, program].every((all) => all.length === 0);
}

const historyParts = ({ history }: Facts): readonly Part[] =>
  history.length === 0
    ? []
    : ["**The history of classes is refused** (`npm run migrations -- lint`)", { fenced: history.join("\n") }];

function classParts({ steps, classes, tables }: Facts): readonly Part[] {
  const lines = [...classes, ...tables];
  if (lines.length === 0) return ["**Classes and tables:** no change."];
  const by = steps.length === 0 ? "" : `, by ${steps.map((step) => `\`${step}\``).join(", ")}`;
  return [`**Classes and tables that change**${by}`, { fenced: lines.join("\n") }];
}

function sizeParts({ before, after }: Facts): readonly Part[] {
  if ("because" in before) {
    return [
      `**Sizes:** ${kib(after.bytes)}, ${kib(after.compressed)} compressed. There is no release of the base to compare with:`,
      { fenced: before.because },
    ];
  }
  const row = (name: string, of: (side: SideFacts) => number) => [
    name,
    kib(of(before)),
    kib(of(after)),
    signed((of(after) - of(before)) / 1_024, 1),
  ];
  return [
    "**Sizes**",
    table(
      ["release", `base \`${shortDigest(before.digest)}\``, `this \`${shortDigest(after.digest)}\``, "KiB more"],
      [row("all modules", ({ bytes }) => bytes), row("compressed", ({ compressed }) => compressed)],
    ),
  ];
}

function rowParts({ rows, operations }: Facts): readonly Part[] {
  if (operations === undefined) return ["**Rows written per operation:** the base does not tell its own."];
  if (rows.length === 0) return [`**Rows written per operation:** the same for all ${operations}.`];
  const cell = (value: number | null) => (value === null ? "-" : String(value));
  return [
    "**Rows written per operation** that are not as before (names as in `npm run cost`; `check` is the rate limiter's, for each request)",
    table(
      ["operation", "base", "this", "more"],
      rows.map(({ operation, before, after }) => [
        `\`${operation}\``,
        cell(before),
        cell(after),
        before === null || after === null ? "-" : signed(after - before, 3),
      ]),
    ),
  ];
}

const signed = (value: number, digits: number): string => {
  const rounded = Number(value.toFixed(digits));
  return rounded > 0 ? `+${rounded}` : String(rounded);
};

const settingParts = ({ settings, program }: Facts): readonly Part[] => [
  ...(settings.length === 0 ? [] : [`**Settings that change:** ${settings.map((file) => `\`${file}\``).join(", ")}.`]),
  ...(program.length === 0
    ? []
    : [
        "**Files of the program that change.** What they declare is told by `npm run preview`, and what they guard by their diff alone: no plan below tells it.",
        { fenced: program.join("\n") },
      ]),
];

const rehearsalParts = ({ rehearsal: { ok, text } }: Facts): readonly Part[] => [
  ok ? "**Rehearsal** over the base, on a local account: passed." : "**Rehearsal** over the base: **failed.**",
  ...folded("what was rehearsed", [{ fenced: text }]),
];

const OUTCOMES: { readonly [K in StackPlan["outcome"]]: string } = {
  planned: "",
  refused: ": **it would be refused**",
  unknown: ": not known",
};

function planParts(plans: readonly StackPlan[], fork: boolean): readonly Part[] {
  if (plans.length > 0) {
    return plans.flatMap(({ stack, outcome, text }): readonly Part[] => [
      `**Plan of \`${stack}\`**${OUTCOMES[outcome]}`,
      { fenced: text },
    ]);
  }
  return [
    fork
      ? "**Plans of the stacks:** not made. A run for a fork has no token to read an account with."
      : "**Plans of the stacks:** the run made none.",
  ];
}

/** How a job of GitHub's ended. */
export const RESULTS = ["success", "failure", "cancelled", "skipped"] as const;
export type Result = (typeof RESULTS)[number];

export interface StackComment {
  /** How the job ended that deploys the stack, and the one that takes it down. */
  readonly up: Result;
  readonly down: Result;
  /** What the first one says of where the stack answers. */
  readonly url: string | undefined;
  readonly commit: string;
  readonly run: URL;
}

/** The comment on a pull request's own stack. */
export function stackComment({ up, down, url, commit, run }: StackComment): string {
  const of = `commit ${commit.slice(0, 12)}`;
  const see = `See [the run](${run.href}).`;
  const says = (): string => {
    if (down === "success") return "The stack of this pull request is gone, with its data.";
    if (down === "cancelled")
      return `The take-down of this pull request's stack ended early: a newer run took its place, or somebody stopped it. Where the stack should be gone, the nightly sweep takes it down. ${see}`;
    if (down === "failure")
      return `**The stack of this pull request could not be taken down.** The nightly sweep tries it again. ${see}`;
    if (up === "cancelled") return `The deployment of ${of} was stopped. ${see}`;
    const address = url === undefined || !ADDRESS.test(url) ? undefined : url;
    if (up === "success" && address !== undefined)
      return `This pull request serves, as of ${of}: ${address}\n\nIt has a stack of its own, which goes when the pull request is closed or the label is taken away. All its data goes with it.`;
    return `**${of} could not be deployed** to the stack of this pull request, or does not answer as it should. ${see}`;
  };
  return joined([`${MARKERS.stack}\n${says()}`]);
}

/** What may be a link in a comment: an address without anything behind its host. */
const ADDRESS = /^https?:\/\/[a-z0-9][a-z0-9.-]{0,252}(:\d{1,5})?\/$/;
