/** What a team does to the template on its first day, as changes of files. Pure: nothing is read but through `files`. */
import type { Migration } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import type { PatternFacts } from "../../worker/pattern.ts";
import { folderWord } from "../apply/hints.ts";
import { UserError } from "../common/user-error.ts";
import { obstaclesToRemoval, removePatterns } from "../pattern/remove.ts";
import { ownFile } from "../stack/project.ts";
import { Hostname } from "../stack/schema.ts";
import { withSetting } from "../stack/setting-text.ts";
import { unfitForProject } from "../stack/worker-name.ts";
import { type Change, Draft, type ProjectFiles } from "./draft.ts";
import { beginHistory, freshHistory } from "./history.ts";
import { rename } from "./name.ts";
import { type Deployed, releasedReasons, stacksOfTheCli } from "./released.ts";
import { dropTemplate } from "./template-only.ts";

export interface Wishes {
  readonly name: string;
  /** Of the stack production. */
  readonly hostname?: string | undefined;
  /** The patterns that stay, by their folders; all of them where nothing is said. */
  readonly patterns?: readonly string[] | undefined;
  /** Leaves the history as it is, and does not ask whether it has been released. */
  readonly keepHistory: boolean;
}

export interface Situation extends Deployed {
  /** The package's name so far: the CLI's `pulumi new` changes Pulumi.yaml alone. */
  readonly packageName: string;
  readonly migrations: readonly Migration[];
  readonly patterns: readonly PatternFacts[];
  /** Every file of the project that git knows or would add, by its path. */
  readonly paths: readonly string[];
}

/** The stack that has the host name: two stacks cannot share one. */
const PUBLIC = "production";

/** What the first day does. */
interface FirstDay {
  /** All that changes; nothing where it has been done before. */
  readonly changes: readonly Change[];
  /** What still speaks of patterns that go, and is left as it is (`Removal`). */
  readonly speaking: readonly string[];
}

/** @throws UserError with everything that stands against it. */
export function firstDay(wishes: Wishes, situation: Situation, files: ProjectFiles): FirstDay {
  const obstacles = obstaclesTo(wishes, situation, files);
  if (obstacles.length) throw new UserError(`Nothing was changed.\n${obstacles.map((one) => `- ${one}`).join("\n")}`);
  const { name, hostname, keepHistory } = wishes;
  const { project, packageName } = situation;
  const draft = new Draft(files);
  rename(draft, name, [project, packageName]);
  if (hostname !== undefined) {
    const file = ownFile(PUBLIC);
    draft.edit(file, `hostname: ${hostname}`, (text) =>
      withSetting(text, { key: "hostname", project, file }, hostname),
    );
  }
  // Before what is left is asked what it speaks of. A project that has its name already was begun before: what it has of
  // the template is what a merge has brought back.
  dropTemplate(draft, name !== project || name !== packageName);
  // Before the history begins, with the patterns that stay.
  const unwanted = unwantedOf(wishes, situation);
  const released = keepHistory ? ["--keep-history"] : releasedReasons(situation, files);
  const { migrations, speaking } = unwanted.length
    ? removePatterns(draft, unwanted, { ...situation, released })
    : { migrations: situation.migrations, speaking: [] };
  if (!keepHistory) beginHistory(draft, migrations);
  return { changes: draft.changes, speaking };
}

/** The folders of the patterns that go. */
export const unwantedOf = (
  { patterns: wanted }: Pick<Wishes, "patterns">,
  { patterns }: Pick<Situation, "patterns">,
): readonly string[] =>
  wanted === undefined ? [] : patterns.map(({ folder }) => folder).filter((folder) => !wanted.includes(folder));

function obstaclesTo(wishes: Wishes, situation: Situation, files: ProjectFiles): readonly string[] {
  const { name, hostname, keepHistory } = wishes;
  const { project, stacks, migrations } = situation;
  const found: string[] = [];
  const unfit = unfitForProject(name, stacks);
  if (unfit !== undefined) found.push(`--name ${name}: ${unfit}.`);
  const known = situation.patterns.map(({ folder }) => folder);
  const strangers = (wishes.patterns ?? []).filter((wanted) => !known.includes(wanted));
  if (strangers.length) {
    found.push(`--patterns: there is no ${strangers.join(", ")}. There are: ${known.join(", ")}.`);
  } else {
    const unwanted = unwantedOf(wishes, situation);
    const against = unwanted.length ? obstaclesToRemoval(unwanted, situation) : [];
    found.push(...against.map((one) => `--patterns: ${one}`));
  }
  if (hostname !== undefined) {
    const checked = v.safeParse(Hostname, hostname);
    if (!checked.success) found.push(`--hostname ${hostname}: ${checked.issues[0].message}.`);
    if (!stacks.includes(PUBLIC)) found.push(`--hostname: there is no ${ownFile(PUBLIC)} to set it in.`);
  }
  const made = stacksOfTheCli(project, stacks, files);
  if (name !== project && made.length) {
    found.push(
      `--name ${name}: the Pulumi CLI knows ${made.join(", ")} as of the project ${project}, and would not find it under another name. Keep it: --name ${project}.`,
    );
  }
  if (!keepHistory && (freshHistory(migrations) !== migrations || unwantedOf(wishes, situation).length > 0)) {
    const reasons = releasedReasons(situation, files);
    if (reasons.length) {
      found.push(
        `The history of the classes cannot begin anew: ${reasons.join("; ")}. What runs there knows the steps that it has. Keep them: --keep-history.${throwAway(reasons, situation)}`,
      );
    }
  }
  return found;
}

/** The other way out, where only accounts on this machine know the history. */
const throwAway = (reasons: readonly string[], { deployedLocally }: Situation): string =>
  reasons.length === deployedLocally.length
    ? ` Or, if the data there was only for trying, stop the account, delete it (rm -rf ${deployedLocally.map(folderWord).join(" ")}) and run this again.`
    : "";
