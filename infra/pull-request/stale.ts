/** Which stacks of pull requests are to go, and why: pure. */
import * as v from "valibot";
import { bareName } from "../apply/pulumi-line.ts";
import { pullOf } from "../stack/pull-stack.ts";

/** A stack as `pulumi stack ls --json` lists it. */
export const Listed = v.object({
  name: v.string(),
  /** Missing where nothing was ever deployed. */
  lastUpdate: v.optional(v.string()),
  updateInProgress: v.optional(v.boolean(), false),
});
export type Listed = v.InferOutput<typeof Listed>;

/** An open pull request as `gh pr list --json number,headRefName,labels,isCrossRepository` lists it. */
export const Pull = v.object({
  number: v.number(),
  headRefName: v.string(),
  labels: v.array(v.object({ name: v.string() })),
  isCrossRepository: v.boolean(),
});
export type Pull = v.InferOutput<typeof Pull>;

/** How many open pull requests are asked for at most. */
export const MOST_PULLS = 1_000;

/** The label that asks for a stack. */
const LABEL = "stack";

/** What it is judged by. */
export interface Seen {
  readonly stacks: readonly Listed[];
  /** All that are open. */
  readonly pulls: readonly Pull[];
  /** All branches of the repository. */
  readonly branches: readonly string[];
  /** A stack that nobody has deployed to for so many days goes. */
  readonly days: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface Decision {
  readonly stack: string;
  readonly pull: number;
  /** Why it goes; undefined: it stays. */
  readonly because: string | undefined;
}

const DAY = 86_400_000;

/** Each stack of a pull request, with what is to become of it. Other stacks are in no decision. */
export function decide({ stacks, pulls, branches, days, now }: Seen): readonly Decision[] {
  return stacks.flatMap(({ name, lastUpdate, updateInProgress }) => {
    const stack = bareName(name);
    const pull = pullOf(stack);
    if (pull === undefined) return [];
    const because = updateInProgress
      ? undefined
      : (left(
          pull,
          pulls.find(({ number }) => number === pull),
          branches,
        ) ?? tooOld(lastUpdate, days, now));
    return [{ stack, pull, because }];
  });
}

function left(number: number, pull: Pull | undefined, branches: readonly string[]): string | undefined {
  if (!pull) return `pull request ${number} is not open`;
  if (pull.isCrossRepository) return `pull request ${number} comes from a fork`;
  if (!branches.includes(pull.headRefName)) return `its branch ${JSON.stringify(pull.headRefName)} is gone`;
  return pull.labels.some(({ name }) => name === LABEL) ? undefined : `the label ${LABEL} was taken away`;
}

/** A stack without a time was made and never deployed: the next night it has one, or its pull request is closed. */
function tooOld(lastUpdate: string | undefined, days: number, now: number): string | undefined {
  const age = (now - Date.parse(lastUpdate ?? "")) / DAY;
  return age > days ? `nobody has deployed to it for ${Math.floor(age)} days` : undefined;
}
