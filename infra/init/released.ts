/** What shows, on this machine alone, that something of this project may have been deployed. */
import * as v from "valibot";
import { UserError } from "../common/user-error.ts";
import { readYaml } from "../common/yaml-file.ts";
import { LOCAL, ownFile } from "../stack/project.ts";
import type { ProjectFiles } from "./draft.ts";

const StackFile = v.object({
  encryptionsalt: v.optional(v.string()),
  encryptedkey: v.optional(v.string()),
  secretsprovider: v.optional(v.string()),
  config: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});
const Encrypted = v.object({ secure: v.string() });

export interface Deployed {
  /** The project's name so far, in Pulumi.yaml. */
  readonly project: string;
  /** The stacks that have a file. */
  readonly stacks: readonly string[];
  /** Git's tags of releases. */
  readonly releases: readonly string[];
  /** Why git may lack such tags here, in words; undefined: it has all that there are. */
  readonly tagsUnknown?: string | undefined;
  /** The folders of local accounts that something was deployed to. */
  readonly deployedLocally: readonly string[];
}

/** Why somebody may know the history as it is, in words; none: nothing was released. */
export function releasedReasons(deployed: Deployed, files: ProjectFiles): readonly string[] {
  const taken = adopting(deployed.project, deployed.stacks, files);
  return [
    ...deployedReasons(deployed, files),
    ...(taken.length ? [`${taken.join(", ")} takes over a live Worker`] : []),
  ];
}

/** The same without the Workers that are to be taken over: their history may still have to be imported. */
export function deployedReasons(
  { project, stacks, releases, tagsUnknown, deployedLocally }: Deployed,
  files: ProjectFiles,
): readonly string[] {
  const made = stacksOfTheCli(project, stacks, files);
  return [
    ...(releases.length ? [`git has the tag${releases.length > 1 ? "s" : ""} ${releases.join(", ")}`] : []),
    ...(tagsUnknown === undefined ? [] : [tagsUnknown]),
    ...(made.length ? [`the Pulumi CLI has made ${made.join(", ")}`] : []),
    ...deployedLocally.map((folder) => `the local account in ${folder} has a deployment`),
  ];
}

/** The stacks, other than the local one, whose files the Pulumi CLI has written to: it knows them by the project's name. */
export function stacksOfTheCli(project: string, stacks: readonly string[], files: ProjectFiles): readonly string[] {
  return stacks.filter((stack) => {
    if (stack === LOCAL) return false;
    const { config, ...secrets } = stackFile(stack, files);
    // `pulumi config set` puts the project's name in front of a key; nobody else does.
    const written = Object.entries(config ?? {}).some(
      ([key, value]) => key.startsWith(`${project}:`) || v.is(Encrypted, value),
    );
    return written || Object.values(secrets).some((value) => value !== undefined);
  });
}

/** The stacks that take over a Worker which is live already: the history tells of it. */
function adopting(project: string, stacks: readonly string[], files: ProjectFiles): readonly string[] {
  return stacks.filter((stack) => {
    const { config } = stackFile(stack, files);
    return [config?.adopt, config?.[`${project}:adopt`]].some((value) => String(value) === "true");
  });
}

/** @throws UserError where the file is not what Pulumi takes. */
function stackFile(stack: string, files: ProjectFiles): v.InferOutput<typeof StackFile> {
  const name = ownFile(stack);
  const contents = readYaml(name, files.read(name) ?? "");
  const file = v.safeParse(StackFile, contents ?? {});
  if (!file.success) throw new UserError(`${name} is not what Pulumi takes: config must be a map.`);
  return file.output;
}
