/**
 * `npm run pr`: what the workflows of pull requests do (docs/pull-requests.md). `look` and `plan` run the pull request's
 * own code and write what they find as JSON; `comment` and `post` run the default branch's, and take that as data.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { readArtifact } from "../pull-request/artifact.ts";
import { type Kind, MARKERS, previewComment } from "../pull-request/comment.ts";
import { FACTS_FILE, Facts, PLAN_FILE, StackPlan } from "../pull-request/found.ts";
import { look } from "../pull-request/look.ts";
import { post } from "../pull-request/post.ts";
import { planOf } from "../pull-request/stack-plan.ts";
import { Sides } from "../rehearsal/side.ts";
import { readRelease } from "../release/read.ts";
import { httpUrl, runCommand } from "./command.ts";

const program = new Command("npm run pr --")
  .description("What the workflows of pull requests do (docs/pull-requests.md).")
  .showHelpAfterError();

const BUILT = ["--release <folder>", "the release that is looked at", "dist/release"] as const;
const OUT = ["--out <file>", "where it is written as JSON"] as const;

program
  .command("look")
  .description("find out what the built release changes beside that of a commit, without any account")
  .requiredOption("--base <commit>", "what the pull request is merged into; in CI the merge's first parent, HEAD^1")
  .option(...BUILT)
  .option("--objects <number>", "objects of each class that get data in the rehearsal", number, 4)
  .requiredOption(...OUT)
  .action(async ({ base, release, objects, out }: { base: string; release: string; objects: number; out: string }) => {
    const sides = new Sides();
    const dir = mkdtempSync(join(tmpdir(), "durable-stack-look-"));
    // However it ends, in the middle too.
    process.once("exit", () => {
      sides.remove();
      rmSync(dir, { recursive: true, force: true });
    });
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
    const onProgress = (line: string) => console.error(`… ${line}`);
    write(out, await look({ sides, base, release, dir, objects, onProgress }));
  });

program
  .command("plan")
  .description("find out what the built release would do to a stack; it only reads")
  .requiredOption("--stack <name>", "the stack")
  .option(...BUILT)
  .option("--dir <folder>", "where the local account keeps its state; for the stack local", ".local")
  .requiredOption(...OUT)
  .action(async ({ stack, release, dir, out }: { stack: string; release: string; dir: string; out: string }) => {
    const plan = await planOf(stack, readRelease(resolve(release)), dir);
    console.log(plan.text);
    write(out, plan);
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
    const names = readdirSync(found).sort();
    const archive = (name: string) => ({ name, contents: readFileSync(join(found, name)) });
    const facts = names.includes("facts.zip") ? readArtifact(archive("facts.zip"), FACTS_FILE, Facts) : undefined;
    const plans = names
      .filter((name) => /^plan-.+\.zip$/.test(name))
      .map((name) => readArtifact(archive(name), PLAN_FILE, StackPlan));
    console.log(previewComment({ facts, plans, commit, run, fork: headRepository !== repository }));
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
    console.log(`the comment is ${post(repository, pull, kind, readFileSync(file, "utf8"))}`);
  });

function write(file: string, found: Facts | StackPlan): void {
  writeFileSync(file, JSON.stringify(found));
}

function number(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value;
  throw new InvalidArgumentError("It must be a whole number from 1.");
}

function sha(text: string): string {
  if (/^[0-9a-f]{40}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a commit's whole name, 40 hex digits.");
}

await runCommand(program);
