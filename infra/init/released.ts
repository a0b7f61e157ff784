/** What shows, on this machine alone, that something of this project may have been deployed. */
import * as v from "valibot";
import { parse } from "yaml";
import { LOCAL } from "../stack/project.ts";
import type { ProjectFiles } from "./draft.ts";

const StackFile = v.object({
  encryptionsalt: v.optional(v.string()),
  encryptedkey: v.optional(v.string()),
  secretsprovider: v.optional(v.string()),
  config: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});

/** The stacks, other than the local one, whose files the Pulumi CLI has written to: it knows them by the project's name. */
export function stacksOfTheCli(project: string, stacks: readonly string[], files: ProjectFiles): readonly string[] {
  return stacks.filter((stack) => {
    const file = v.safeParse(StackFile, parse(files.read(`Pulumi.${stack}.yaml`) ?? ""));
    if (stack === LOCAL || !file.success) return false;
    const { config, ...secrets } = file.output;
    const keys = Object.entries(config ?? {});
    // `pulumi config set` puts the project's name in front of a key; nobody else does.
    const written = keys.some(
      ([key, value]) => key.startsWith(`${project}:`) || v.is(v.object({ secure: v.string() }), value),
    );
    return written || Object.values(secrets).some((value) => value !== undefined);
  });
}

/** The stacks that take over a Worker which is live already: the history tells of it. */
export function adopting(project: string, stacks: readonly string[], files: ProjectFiles): readonly string[] {
  return stacks.filter((stack) => {
    const file = v.safeParse(StackFile, parse(files.read(`Pulumi.${stack}.yaml`) ?? ""));
    const config = file.success ? (file.output.config ?? {}) : {};
    return [config.adopt, config[`${project}:adopt`]].some((value) => String(value) === "true");
  });
}
