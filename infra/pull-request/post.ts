/** Writes a comment on a pull request through GitHub's own CLI, which has the token: the one before is edited in place. */
import { spawnSync } from "node:child_process";
import * as v from "valibot";
import { codeOf } from "../common/errors.ts";
import { UserError } from "../common/user-error.ts";
import { type Kind, MARKERS } from "./comment.ts";

/** What of a comment tells whose it is. */
export const Comment = v.object({
  id: v.number(),
  body: v.nullish(v.string(), ""),
  user: v.nullable(v.object({ login: v.string(), type: v.string() })),
});
export type Comment = v.InferOutput<typeof Comment>;

/** Who comments with the token of a workflow. */
export const BOT = { login: "github-actions[bot]", type: "Bot" };

/** The comment of ours: it begins with the marker and is the bot's. Anybody can write the marker. */
export const findOurs = (comments: readonly Comment[], kind: Kind): Comment | undefined =>
  comments.find(
    ({ body, user }) => user?.login === BOT.login && user.type === BOT.type && body.startsWith(MARKERS[kind]),
  );

/** As `gh api --paginate --slurp` prints them: a list of pages. */
const Pages = v.pipe(
  v.string(),
  v.parseJson(),
  v.array(v.array(Comment)),
  v.transform((pages) => pages.flat()),
);

/** Edits the comment of this kind, or makes it. Returns what it did. @throws UserError in the words of `gh`. */
export function post(repository: string, pull: number, kind: Kind, body: string): "edited" | "made" {
  const issue = `repos/${repository}/issues/${pull}/comments`;
  const listed = v.safeParse(Pages, gh(["api", "--paginate", "--slurp", `${issue}?per_page=100`]));
  if (!listed.success) throw new UserError("`gh api` printed something that is not a list of comments.");
  const before = findOurs(listed.output, kind);
  const [method, path] = before ? ["PATCH", `repos/${repository}/issues/comments/${before.id}`] : ["POST", issue];
  gh(["api", "-X", method, path, "--silent", "--input", "-"], JSON.stringify({ body }));
  return before ? "edited" : "made";
}

function gh(args: readonly string[], input = ""): string {
  const { status, error, stdout, stderr } = spawnSync("gh", args, { input, encoding: "utf8", maxBuffer: 1 << 28 });
  if (codeOf(error) === "ENOENT") throw new UserError("GitHub's CLI (gh) is not installed: https://cli.github.com");
  if (error) throw error;
  if (status !== 0) throw new UserError(`\`gh ${args.join(" ")}\` failed: ${stderr.trim()}`);
  return stdout;
}
