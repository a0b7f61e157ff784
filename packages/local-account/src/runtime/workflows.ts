/** The account's workflows as workers/workflows.js needs them. Pure. */
import type { State, Workflow } from "../model.ts";
import { servingVersions } from "../queries.ts";

/** What runs the instances of a workflow. */
export interface WorkflowEngine {
  readonly name: string;
  readonly versionId: string;
  /** The service in the runtime that has the class. Without it, no instance goes on. */
  readonly service?: string;
  readonly className: string;
  /** How many steps an instance may have. */
  readonly steps?: number;
}

/** Whether a Worker's serving version has the class of the workflow. */
export function isRunnable(state: State, { workerId, className }: Pick<Workflow, "workerId" | "className">): boolean {
  const [main] = servingVersions(state, workerId);
  return main?.version.code.named[className] === "workflow";
}

/** The engines of all workflows. `serviceOf` names the service of a Worker that serves. */
export const workflowEngines = (state: State, serviceOf: (workerId: string) => string | undefined): WorkflowEngine[] =>
  [...state.workflows.values()].map((workflow) => {
    const service = isRunnable(state, workflow) ? serviceOf(workflow.workerId) : undefined;
    const { name, versionId, className, steps } = workflow;
    return { name, versionId, className, ...(service !== undefined && { service }), ...(steps !== null && { steps }) };
  });
