/** The account's workflows as workers/workflows.js needs them. Pure. */
import type { State, Workflow } from "../model.ts";
import { servingVersions } from "../queries.ts";

/** A workflow that can run. */
export interface RunningWorkflow {
  readonly name: string;
  readonly versionId: string;
  /** The service in the runtime that has the class. */
  readonly service: string;
  readonly className: string;
  /** How many steps an instance may have. */
  readonly steps?: number;
}

/** Whether a Worker's serving version has the class of the workflow. */
export function isRunnable(state: State, { workerId, className }: Pick<Workflow, "workerId" | "className">): boolean {
  const [main] = servingVersions(state, workerId);
  return main?.version.code.named[className] === "workflow";
}

/** The workflows whose classes are there. `serviceOf` names the service of a Worker that serves. */
export const runningWorkflows = (
  state: State,
  serviceOf: (workerId: string) => string | undefined,
): RunningWorkflow[] =>
  [...state.workflows.values()].flatMap((workflow) => {
    const service = serviceOf(workflow.workerId);
    if (service === undefined || !isRunnable(state, workflow)) return [];
    const { name, versionId, className, steps } = workflow;
    return [{ name, versionId, service, className, ...(steps !== null && { steps }) }];
  });
