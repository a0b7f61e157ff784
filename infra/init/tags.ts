/** The tags of a project's releases, as far as this clone has them. */
import { parseDocument } from "yaml";
import { knownToGit, linesOfGit } from "../release/git.ts";
import type { Deployed } from "./released.ts";

/**
 * The tags of the releases of the project in `root`: a clone of the template has the template's, which are of another name.
 * @throws UserError where git does not say.
 */
export function tagsOf(root: string, project: string): Pick<Deployed, "releases" | "tagsUnknown"> {
  const all = knownToGit(root, "tag", "--list", "v*") ?? [];
  const releases = all.filter((tag) => (nameAt(root, tag) ?? project) === project);
  return { releases, tagsUnknown: releases.length > 0 ? undefined : tagsUnknown(root) };
}

/** The project's name at a tag; undefined where it has none. The rehearsal of .ci/run asks the same. */
function nameAt(root: string, tag: string): string | undefined {
  const text = linesOfGit(root, "show", `refs/tags/${tag}:./Pulumi.yaml`)?.join("\n");
  const name: unknown = text === undefined ? undefined : parseDocument(text).get("name");
  return name === undefined || name === null ? undefined : String(name);
}

/** Why there may be more tags than git has here, and what brings them; undefined: there are no more. */
function tagsUnknown(root: string): string | undefined {
  const unsure = "whether it was released is not known here";
  if (linesOfGit(root, "rev-parse", "--is-shallow-repository")?.[0] === "true") {
    return `this clone is shallow, and ${unsure} (git fetch --unshallow --tags)`;
  }
  const [line] = linesOfGit(root, "config", "--get-regexp", "^remote\\..*\\.tagopt$", "^--no-tags$") ?? [];
  const remote = line?.split(" ")[0];
  return remote && `this clone has no tags, and ${unsure} (git config --unset ${remote} && git fetch --tags)`;
}
