/** The state of the stack that the program runs for, asked of the engine that runs it. */
import * as pulumi from "@pulumi/pulumi";
import { messageOf } from "../../common/errors.ts";
import { firstLine } from "../../common/user-error.ts";
import { PlanRefused } from "../rules/plan-refused.ts";
import { Known, READ_STATE } from "./known.ts";
import { foreignState } from "./owner.ts";

/**
 * What the stack's state has; undefined where the engine is too old to say: then nothing may be imported.
 * @throws PlanRefused where it cannot be read, or is another stack's. A plan without it would not see what an update deletes.
 */
export async function engineState(): Promise<Known | undefined> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  let answer: unknown;
  try {
    answer = await pulumi.runtime.invoke(READ_STATE, { stackName });
  } catch (error) {
    const said = messageOf(error);
    if (said.includes(UNKNOWN_FUNCTION)) return undefined;
    throw unreadable(
      `The engine says: ${firstLine(said) || "nothing more"}.`,
      `see that \`pulumi stack export --stack ${pulumi.getStack()}\` prints it (the backend answers, its keys and the passphrase are right), then run it again. A state that is lost: docs/recover.md.`,
    );
  }
  const known = Known.from(answer);
  if (known) {
    const foreign = foreignState({ project: pulumi.getProject(), stack: pulumi.getStack() }, known.urns);
    if (foreign) throw refused(`its state is another's. ${foreign.what}`, foreign.fix);
    return known;
  }
  throw unreadable(
    "The engine's answer is not the one that this program knows.",
    "run it with the version of the Pulumi CLI that the workflows install (pulumi-version in .github/workflows/release.yml), which the project is tested with.",
  );
}

/** How an engine refuses a function that it does not know (pkg/resource/deploy/builtins.go of Pulumi 3.274.1). */
const UNKNOWN_FUNCTION = "unrecognized function name";

const unreadable = (what: string, fix: string): PlanRefused =>
  refused(`its state cannot be read, and without that nobody sees what an update would delete. ${what}`, fix);

const refused = (message: string, fix: string): PlanRefused =>
  new PlanRefused([{ code: "state_unreadable", subject: pulumi.getStack(), message, fix }]);
