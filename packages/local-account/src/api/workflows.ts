/** `/accounts/:account/workflows`: workflows and their versions. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import { ApiError, invalid } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { State, Workflow } from "../model.ts";
import { workflowNamed } from "../queries.ts";
import { isRunnable } from "../runtime/workflows.ts";
import type { Draft } from "../store.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged, pageOf } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";
import { type Instance, instancesOf, NO_WORKFLOW, workflowAt } from "./workflow-calls.ts";
import { workflowInstances } from "./workflow-instances.ts";

/** Members that the account does not serve: a workflow would seem to obey them. */
const NOT_SERVED = ["schedules", "concurrency", "jurisdiction"] as const;

const Sent = v.looseObject({
  script_name: v.string(),
  class_name: v.string(),
  limits: v.nullish(v.looseObject({ steps: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))) })),
});

export const workflows = (api: Api) => {
  const { account } = api;
  const one = (c: Context, state = account.state) => workflowAt(state, param(c, "workflow"));
  const shown = async (workflow: Workflow) => ({
    ...shownWorkflow(account.state, workflow),
    instances: countsOf(await instancesOf(account, workflow)),
  });
  return new Hono()
    .get("/", async (c) => {
      const search = c.req.query("search") ?? "";
      const all = [...account.state.workflows.values()].filter(({ name }) => name.includes(search));
      const { items, info } = pageOf(c, all);
      return ok(c, await Promise.all(items.map(shown)), info);
    })
    .get("/:workflow", async (c) => ok(c, await shown(one(c))))
    .put("/:workflow", async (c) => {
      const sent = await body(c, Sent);
      const refused = NOT_SERVED.filter((member) => sent[member] != null);
      if (refused.length > 0)
        throw new ApiError(
          501,
          10021,
          `${refused[0]}: the local account does not serve \`${refused[0]}\` of workflows.`,
        );
      const workflow = await account.change((draft) => putWorkflow(draft, param(c, "workflow"), sent));
      return ok(c, {
        ...shownWorkflow(account.state, workflow),
        version_id: workflow.versionId,
        is_deleted: 0,
        terminator_running: 0,
      });
    })
    .delete("/:workflow", async (c) => {
      await account.change((draft) => draft.delete("workflows", one(c, draft.state).id));
      return ok(c, { status: "ok", success: true });
    })
    .get("/:workflow/versions", (c) => {
      const workflow = one(c);
      return paged(c, workflow.versions.toReversed(), (version) => shownVersion(workflow, version));
    })
    .get("/:workflow/versions/:version", (c) => {
      const workflow = one(c);
      const version = workflow.versions.find(({ id }) => id === param(c, "version"));
      if (version === undefined) throw new ApiError(404, NO_WORKFLOW, "workflow.not_found: there is no such version");
      return ok(c, shownVersion(workflow, version));
    })
    .route("/:workflow/instances", workflowInstances(api));
};

/** Makes the workflow, or a new version of the one with this name, whichever Worker has that. @throws ApiError if the class is not there. */
function putWorkflow(draft: Draft, name: string, sent: v.InferOutput<typeof Sent>): Workflow {
  if (!/^[a-zA-Z0-9_][a-zA-Z0-9-_]{0,63}$/.test(name))
    throw invalid(`workflow_name: '${name}' must be 1 to 64 letters, digits, '-' or '_', and not begin with '-'.`);
  const worker = scriptAt(draft.state, sent.script_name);
  const className = sent.class_name;
  if (!isRunnable(draft.state, { workerId: worker.id, className }))
    throw invalid(
      `class_name: the deployed version of '${worker.name}' exports no workflow (WorkflowEntrypoint) named '${className}'.`,
    );
  const before = workflowNamed(draft.state, name);
  const modifiedOn = now();
  const version = { id: newUuid(), className, createdOn: modifiedOn };
  return draft.put("workflows", {
    id: before?.id ?? newUuid(),
    name,
    workerId: worker.id,
    className,
    steps: sent.limits?.steps ?? null,
    createdOn: before?.createdOn ?? modifiedOn,
    modifiedOn,
    triggeredOn: before?.triggeredOn ?? null,
    versionId: version.id,
    versions: [...(before?.versions ?? []), version],
  });
}

const shownWorkflow = (state: State, workflow: Workflow) => ({
  id: workflow.id,
  name: workflow.name,
  script_name: state.workers.get(workflow.workerId)?.name ?? "",
  class_name: workflow.className,
  created_on: workflow.createdOn,
  modified_on: workflow.modifiedOn,
  triggered_on: workflow.triggeredOn,
});

const shownVersion = ({ id: workflow_id }: Workflow, { id, className, createdOn }: Workflow["versions"][number]) => ({
  id,
  workflow_id,
  class_name: className,
  created_on: createdOn,
  modified_on: createdOn,
  language: "javascript",
  has_dag: false,
});

/** How many instances have each state. */
function countsOf(instances: readonly Instance[]): Record<string, number> {
  const groups = Map.groupBy(instances, ({ status }) => status);
  return Object.fromEntries([...groups].map(([status, all]) => [status, all.length]));
}
