/** What a schema found wrong, in words. */
import * as v from "valibot";

/** `path: message` for each issue, in the order in which they were found. */
export const issueLines = (issues: readonly v.BaseIssue<unknown>[]): readonly string[] =>
  issues.map((issue) => `${v.getDotPath(issue) ?? "(root)"}: ${issue.message}`);
