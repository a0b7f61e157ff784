/** What the Pulumi CLI has in its state of a stack, for a command that runs outside the program. It only reads. */
import * as v from "valibot";
import { askPulumi } from "../apply/pulumi-cli.ts";
import { noStackLine } from "../apply/update-line.ts";
import { UserError } from "../common/user-error.ts";
import { Known } from "../plan/state/known.ts";
import { foreignState } from "../plan/state/owner.ts";
import type { PublicSettings } from "./config.ts";
import { ownFile, projectName } from "./project.ts";

/** A resource of a state, as much of it as is looked at. */
const StateResource = v.object({
  urn: v.string(),
  id: v.optional(v.string()),
  outputs: v.optional(v.record(v.string(), v.unknown()), {}),
  protect: v.optional(v.boolean(), false),
  retainOnDelete: v.optional(v.boolean(), false),
});
type StateResource = v.InferOutput<typeof StateResource>;

/** What `pulumi stack export` prints. A state that has nothing in it has no resources. */
const Exported = v.object({
  deployment: v.nullish(v.object({ resources: v.nullish(v.array(StateResource), []) })),
});

/** The resources in what `pulumi stack export` printed. @throws Error when it is not that. */
function exportedResources(text: string): readonly StateResource[] {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Exported), text);
  if (!parsed.success) throw new Error("`pulumi stack export` printed something that is not a stack's state.");
  return parsed.output.deployment?.resources ?? [];
}

/** The same by type and name. */
export const knownOf = (resources: readonly StateResource[]): Known =>
  Known.of(
    resources.map(
      ({ urn, id, outputs, retainOnDelete }) =>
        [urn, { ...outputs, ...(id !== undefined && { id }) }, retainOnDelete] as const,
    ),
  );

/**
 * The resources in the CLI's state of `stack`. @throws UserError in the CLI's own words where it cannot say, or saying
 * whose the state is where it is another stack's.
 */
export function engineResources(stack: string): readonly StateResource[] {
  const { status, stdout, stderr } = askPulumi(["stack", "export", "--stack", stack]);
  if (status !== 0) {
    const said = `The state of ${stack} cannot be read: ${stderr.trim()}`;
    throw new UserError([said, ...adviceOn(stack, status, stderr)].join("\n"));
  }
  const resources = exportedResources(stdout);
  const foreign = foreignState(
    { project: projectName(), stack },
    resources.map(({ urn }) => urn),
  );
  if (foreign) throw new UserError(`The state of ${stack} is another's. ${foreign.what} Fix: ${foreign.fix}`);
  return resources;
}

/**
 * The provider deletes in the account that the state names, whichever the settings name: what they would be asked about is
 * not what goes. @throws UserError where a resource of the state is in another account.
 */
export function mustBeInAccount(
  resources: readonly StateResource[],
  { stack, accountId }: Pick<PublicSettings, "stack" | "accountId">,
): void {
  const others = resources.flatMap(({ outputs }) =>
    typeof outputs.accountId === "string" && outputs.accountId !== accountId ? [outputs.accountId] : [],
  );
  if (others.length === 0) return;
  throw new UserError(
    `The state of ${stack} is of the account ${[...new Set(others)].join(" and ")}, and its settings name ${accountId}. Nothing was deleted. Fix: accountId in ${ownFile(stack)}, or export CLOUDFLARE_ACCOUNT_ID, and the token of that account; after \`npm run account -- env\` use another terminal.`,
  );
}

/** What to do where the CLI cannot say what is in the state of `stack`, beside what it said. */
function adviceOn(stack: string, code: number | null, said: string): readonly string[] {
  if (said.includes("failed to load checkpoint")) {
    return [
      `Its file is damaged, or in a folder the ${stack}.json.attrs beside it. Put a copy back: docs/state.md, "Back up and restore".`,
    ];
  }
  const noStack = noStackLine(stack, code);
  if (noStack === undefined) return [];
  return [
    `${noStack}. Its settings are in ${ownFile(stack)}.`,
    "Where `pulumi stack init` says that the stack is locked, make sure that the process it names has ended, and delete the lock file that it names: `pulumi cancel` does not know a stack without a state.",
  ];
}
