/**
 * `npm run pr`: what the workflows of pull requests do (docs/pull-requests.md). `look` and `plan` run the pull request's
 * own code and write what they find as JSON; `comment` and `post` run the default branch's, and take that as data.
 */

import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import * as v from "valibot";
import { END_SIGNALS, exitCodeOf } from "../common/interrupted.ts";
import { issueLines } from "../common/issues.ts";
import {
  mustBeWritable,
  namesIn,
  readNamed,
  readNamedBytes,
  temporaryFolder,
  writeNamed,
} from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { readArtifact } from "../pull-request/artifact.ts";
import {
  type Kind,
  MARKERS,
  previewComment,
  RESULTS,
  type StackComment,
  stackComment,
} from "../pull-request/comment.ts";
import { FACTS_FILE, Facts, PLAN_FILE, StackPlan } from "../pull-request/found.ts";
import { post } from "../pull-request/post.ts";
import { planOf } from "../pull-request/stack-plan.ts";
import { addressOfStack, listStacks, makeStack, takeDown } from "../pull-request/stacks.ts";
import { decide, MOST_PULLS, Pull } from "../pull-request/stale.ts";
import { commitOf, Sides } from "../rehearsal/side.ts";
import { ownUnless } from "../release/own.ts";
import { readRelease } from "../release/read.ts";
import { OWN_RELEASE, ROOT } from "../release/root.ts";
import { stackOf } from "../stack/pull-stack.ts";
import { runCommand } from "./command.ts";
import { DIR, folder, httpUrl, wholeNumber } from "./options.ts";

const program = new Command("npm run pr --")
  .description("What the workflows of pull requests do (docs/pull-requests.md).")
  .showHelpAfterError();

const RELEASE = [
  "--release <folder>",
  `the release that is looked at (default: this checkout's, which is built into ${OWN_RELEASE})`,
  folder,
] as const;
const OUT = ["--out <file>", "where it is written as JSON; it is printed for people where none is given"] as const;

const number = wholeNumber(1, 1_000_000);

const say = (line: string) => console.error(`… ${line}`);

interface LookOptions {
  readonly base: string;
  readonly release?: string;
  readonly objects?: number;
  readonly out?: string;
}

interface PlanOptions {
  readonly stack: string;
  readonly release?: string;
  readonly dir: string;
  readonly out?: string;
}

program
  .command("look")
  .description("find out what this checkout's release changes beside that of a commit, without any account")
  .requiredOption("--base <commit>", "what the pull request is merged into; in CI the merge's first parent, HEAD^1")
  .option(...RELEASE)
  .option(
    "--objects <number>",
    "objects of each class that get data in the rehearsal (default: as of `npm run rehearse`)",
    wholeNumber(1, 1_000),
  )
  .option(...OUT)
  .action(async ({ base, release, objects, out }: LookOptions) => {
    if (out !== undefined) mustBeWritable(out);
    const sides = new Sides();
    const dir = temporaryFolder("durable-stack-look-");
    // However it ends, in the middle too.
    process.once("exit", () => {
      sides.remove();
      rmSync(dir, { recursive: true, force: true });
    });
    for (const signal of END_SIGNALS) process.on(signal, () => process.exit(exitCodeOf(signal)));
    // Loaded here: the others need no local account.
    const { look } = await import("../pull-request/look.ts");
    const facts = await look({ sides, base, release, dir, objects, onProgress: say });
    if (out !== undefined) write(out, facts);
    else console.log(previewComment({ facts, plans: [], commit: commitOf("HEAD") ?? "", run: undefined, fork: false }));
  });

program
  .command("plan")
  .description("find out what this checkout's release would do to a stack, of which it only reads")
  .requiredOption("--stack <name>", "the stack")
  .option(...RELEASE)
  .option(...DIR)
  .option(...OUT)
  .action(async ({ stack, release, dir, out }: PlanOptions) => {
    if (out !== undefined) mustBeWritable(out);
    const plan = await planOf(stack, readRelease(resolve(ROOT, await ownUnless(release, say))), dir);
    console.log(plan.text);
    if (out !== undefined) write(out, plan);
  });

interface CommentOptions {
  readonly found: string;
  readonly commit: string;
  readonly run: URL;
  readonly repository: string;
  readonly headRepository: string;
}

program
  .command("comment")
  .description("print the comment on what `look` and `plan` have found, as Markdown")
  .requiredOption(
    "--found <folder>",
    "artifacts as they were downloaded: facts.zip, and plan-<stack>.zip for each stack",
  )
  .requiredOption("--commit <sha>", "the commit that was looked at", sha)
  .requiredOption("--run <url>", "the address of the run that looked", httpUrl)
  .requiredOption("--repository <owner/name>", "the repository of the pull request")
  .requiredOption("--head-repository <owner/name>", "the one that its commits come from; another one is a fork")
  .action(({ found, commit, run, repository, headRepository }: CommentOptions) => {
    const names = namesIn(found);
    const archive = (name: string) => ({ name, contents: readNamedBytes(join(found, name)) });
    const facts = names.includes("facts.zip") ? readArtifact(archive("facts.zip"), FACTS_FILE, Facts) : undefined;
    const fork = headRepository !== repository;
    // What a fork's run calls a plan was made with no token.
    const plans = names
      .filter((name) => !fork && /^plan-.+\.zip$/.test(name))
      .map((name) => readArtifact(archive(name), PLAN_FILE, StackPlan));
    console.log(previewComment({ facts, plans, commit, run, fork }));
  });

interface PostOptions {
  readonly repository: string;
  readonly pull: number;
  readonly kind: Kind;
}

program
  .command("post")
  .description("write a comment on a pull request, in place of the one that is there; needs `gh` and its GH_TOKEN")
  .argument("<file>", "the comment's text")
  .requiredOption("--repository <owner/name>", "the repository")
  .requiredOption("--pull <number>", "the pull request", number)
  .addOption(new Option("--kind <kind>", "which comment").choices(Object.keys(MARKERS)).makeOptionMandatory())
  .action((file: string, { repository, pull, kind }: PostOptions) => {
    console.log(`the comment is ${post(repository, pull, kind, readNamed(file))}`);
  });

const PULL = ["--pull <number>", "the pull request", number] as const;
const LIKE = ["--like <stack>", "the stack whose settings its stack takes over", "staging"] as const;
interface OfPull {
  readonly pull: number;
  readonly like: string;
}

program
  .command("stack")
  .description("write the settings of a pull request's own stack (pr-<number>), and make the stack where there is none")
  .requiredOption(...PULL)
  .option(...LIKE)
  .action(({ pull, like }: OfPull) => makeStack(pull, like, say));

program
  .command("address")
  .description("print where a pull request's stack answers")
  .requiredOption(...PULL)
  .action(({ pull }: Pick<OfPull, "pull">) => console.log(addressOfStack(pull).href));

program
  .command("down")
  .description("take a pull request's stack down, with all its data")
  .requiredOption(...PULL)
  .option(...LIKE)
  .action(({ pull, like }: OfPull) => takeDown(pull, like, console.log));

interface StackCommentOptions extends Omit<StackComment, "url"> {
  readonly url?: string;
}

program
  .command("stack-comment")
  .description("print the comment on a pull request's stack, as Markdown")
  .addOption(new Option("--up <result>", "how the job that deploys it ended").choices(RESULTS).makeOptionMandatory())
  .addOption(
    new Option("--down <result>", "how the one that takes it down ended").choices(RESULTS).makeOptionMandatory(),
  )
  .option("--url <url>", "where the stack answers")
  .requiredOption("--commit <sha>", "the commit that was deployed", sha)
  .requiredOption("--run <url>", "the run's address", httpUrl)
  .action(({ url, ...rest }: StackCommentOptions) => console.log(stackComment({ url, ...rest })));

interface StaleOptions {
  readonly pulls: string;
  readonly branches: string;
  readonly days: number;
  readonly pull?: number;
  readonly json: boolean;
}

program
  .command("stale")
  .description(
    "list the stacks that are to go: of pull requests that are closed, of branches that are gone, and old ones",
  )
  .requiredOption(
    "--pulls <file>",
    `what gh printed: pr list --limit ${MOST_PULLS} --json ${Object.keys(Pull.entries)}`,
  )
  .requiredOption("--branches <file>", "what gh printed: api --paginate --slurp repos/<owner/name>/branches")
  .option("--days <number>", "how many days a stack may be without a deployment", number, 14)
  .option("--pull <number>", "only the stack of this pull request", number)
  .option("--json", "print the numbers of their pull requests, as JSON", false)
  .action(({ pulls, branches, days, pull: only, json }: StaleOptions) => {
    const open = readJson(pulls, v.array(Pull));
    // A list that was cut would make open pull requests look closed.
    if (open.length >= MOST_PULLS)
      throw new UserError(`${pulls} has ${open.length} pull requests, and may not be all.`);
    const decisions = decide({
      stacks: listStacks(),
      pulls: open,
      branches: readJson(branches, v.array(v.array(v.object({ name: v.string() })))).flatMap((page) =>
        page.map(({ name }) => name),
      ),
      days,
      now: Date.now(),
    }).filter(({ pull }) => only === undefined || pull === only);
    // Beside the JSON the reasons are for the log.
    const tell = json ? console.error : console.log;
    if (decisions.length === 0)
      tell(only === undefined ? "There is no stack of a pull request." : `There is no stack ${stackOf(only)}.`);
    for (const { stack, because } of decisions)
      tell(because === undefined ? `${stack} stays` : `${stack} is to go: ${because}`);
    const stale = decisions.filter(({ because }) => because !== undefined).map(({ pull }) => pull);
    if (json) console.log(JSON.stringify(stale));
  });

function readJson<Output>(file: string, schema: v.GenericSchema<unknown, Output>): Output {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), readNamed(file));
  if (parsed.success) return parsed.output;
  throw new UserError(`${file} is not what gh prints: ${issueLines(parsed.issues)[0]}.`);
}

function write(file: string, found: Facts | StackPlan): void {
  writeNamed(file, JSON.stringify(found));
}

function sha(text: string): string {
  if (/^[0-9a-f]{40}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a commit's whole name, 40 hex digits.");
}

await runCommand(program);
