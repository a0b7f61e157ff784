/** Calls to the engine of a workflow, and what it says of its instances. */
import * as v from "valibot";
import type { Account } from "../account.ts";
import { ApiError } from "../errors.ts";
import type { State, Workflow } from "../model.ts";
import { workflowNamed } from "../queries.ts";
import { isRunnable } from "../runtime/workflows.ts";

const Instances = v.array(
  v.object({
    id: v.string(),
    status: v.string(),
    version: v.string(),
    created: v.number(),
    modified: v.number(),
    ended: v.nullable(v.number()),
  }),
);

/** An instance, as the engine lists it. Times are in milliseconds. */
export type Instance = v.InferOutput<typeof Instances>[number];

/** Cloudflare's code, by which wrangler knows that a workflow is new. */
export const NO_WORKFLOW = 10200;
/** Cloudflare does not publish these; README.md names them. */
const [NO_INSTANCE, NOT_DONE] = [10201, 10202];

/** The workflow that a path names. @throws ApiError if there is none. */
export function workflowAt(state: State, name: string): Workflow {
  const found = workflowNamed(state, name);
  if (found === undefined) throw new ApiError(404, NO_WORKFLOW, `workflow.not_found: there is no workflow '${name}'`);
  return found;
}

/** The calls that need no class: they look at an instance, or end it. */
const WITHOUT_CLASS: ReadonlySet<string> = new Set(["list", "describe", "terminate"]);

/** Refuses a call that would run instances, while the Worker does not have the class. */
export function refuseWithoutClass(state: State, workflow: Workflow): void {
  if (isRunnable(state, workflow)) return;
  const worker = state.workers.get(workflow.workerId)?.name ?? "";
  throw new ApiError(
    400,
    NOT_DONE,
    `The workflow '${workflow.name}' cannot run now: the serving version of '${worker}' exports no workflow (WorkflowEntrypoint) named '${workflow.className}'. Deploy a version that does; its instances are kept.`,
  );
}

/** Asks the engine. @throws ApiError if it refuses. */
export async function askEngine(
  account: Account,
  workflow: Workflow,
  call: string,
  sent: object = {},
): Promise<unknown> {
  if (!WITHOUT_CLASS.has(call)) refuseWithoutClass(account.state, workflow);
  const answer = await account.runtime.calls.askWorkflow(workflow, call, sent);
  if (!("error" in answer)) return answer.done;
  const isMissing = /not_found/.test(answer.error);
  throw new ApiError(isMissing ? 404 : 400, isMissing ? NO_INSTANCE : NOT_DONE, answer.error);
}

export const instancesOf = async (account: Account, workflow: Workflow): Promise<Instance[]> =>
  v.parse(Instances, await askEngine(account, workflow, "list"));

/** @throws ApiError if there is none of this id. */
export async function instanceOf(account: Account, workflow: Workflow, id: string): Promise<Instance> {
  const found = (await instancesOf(account, workflow)).find((instance) => instance.id === id);
  if (found === undefined) throw new ApiError(404, NO_INSTANCE, `instance.not_found: there is no instance '${id}'`);
  return found;
}
