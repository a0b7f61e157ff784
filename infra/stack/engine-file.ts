/** What the Pulumi CLI has in its state of a stack, for a command that runs outside the program. It only reads. */
import { spawnSync } from "node:child_process";
import * as v from "valibot";
import { Known } from "../plan/known.ts";
import { ROOT } from "../release/root.ts";
import { UserError } from "./user-error.ts";

/** A resource of a state, as much of it as is looked at. */
const StateResource = v.object({
  urn: v.string(),
  id: v.optional(v.string()),
  outputs: v.optional(v.record(v.string(), v.unknown()), {}),
  protect: v.optional(v.boolean(), false),
});
export type StateResource = v.InferOutput<typeof StateResource>;

/** What `pulumi stack export` prints. A state that has nothing in it has no resources. */
const Exported = v.object({
  deployment: v.nullish(v.object({ resources: v.nullish(v.array(StateResource), []) })),
});

/** The resources in what `pulumi stack export` printed. @throws Error when it is not that. */
export function exportedResources(text: string): readonly StateResource[] {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Exported), text);
  if (!parsed.success) throw new Error("`pulumi stack export` printed something that is not a stack's state.");
  return parsed.output.deployment?.resources ?? [];
}

/** The same by type and name. */
export const knownOf = (resources: readonly StateResource[]): Known =>
  Known.of(resources.map(({ urn, id, outputs }) => [urn, { ...outputs, ...(id !== undefined && { id }) }] as const));

/** The resources in the CLI's state of `stack`. @throws UserError in the CLI's own words where it cannot say. */
export function engineResources(stack: string): readonly StateResource[] {
  const { status, error, stdout, stderr } = spawnSync("pulumi", ["stack", "export", "--stack", stack], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error && "code" in error && error.code === "ENOENT")
    throw new UserError("The Pulumi CLI is not installed: https://www.pulumi.com/docs/install/");
  if (error) throw error;
  if (status !== 0)
    throw new UserError(
      `The state of ${stack} cannot be read: ${stderr.trim()}\nWhere the backend does not have the stack any more, make it again: \`pulumi stack init ${stack}\`; its settings are in Pulumi.${stack}.yaml.`,
    );
  return exportedResources(stdout);
}
