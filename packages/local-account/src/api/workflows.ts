/** `/accounts/:account/workflows`: workflows, their versions and instances. */
import { Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import { ApiError, invalid } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { State, Workflow } from "../model.ts";
import { workflowNamed } from "../queries.ts";
import { isRunnable } from "../runtime/workflows.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { script } from "./deployments.ts";
import { ok, paged, pageOf } from "./envelope.ts";
import { Described, shownInstance } from "./workflow-steps.ts";

type Context = Parameters<typeof param>[0];

/** Members that the account does not serve: a workflow would seem to obey them. */
const NOT_SERVED = ["schedules", "concurrency", "jurisdiction"] as const;

const Sent = v.looseObject({
  script_name: v.string(),
  class_name: v.string(),
  limits: v.nullish(v.looseObject({ steps: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))) })),
});
const NewInstance = v.looseObject({ instance_id: v.optional(v.string()), params: v.optional(v.unknown()) });
const Change = v.looseObject({
  status: v.picklist(["pause", "resume", "terminate", "restart"]),
  from: v.optional(v.unknown()),
  rollback: v.optional(v.boolean()),
});

const Listed = v.array(
  v.object({
    id: v.string(),
    status: v.string(),
    version: v.string(),
    created: v.number(),
    modified: v.number(),
    ended: v.nullable(v.number()),
  }),
);
const Created = v.array(v.object({ id: v.string() }));

/** Cloudflare's code, by which wrangler knows that a workflow is new. */
const NO_WORKFLOW = 10200;
/** Cloudflare does not publish these; README.md names them. */
const [NO_INSTANCE, NOT_DONE] = [10201, 10202];

/** The calls that need no class: they look at an instance, or end it. */
const WITHOUT_CLASS: ReadonlySet<string> = new Set(["list", "describe", "terminate"]);

/** Refuses a call that would run instances, while the Worker does not have the class. */
function refuseWithoutClass(state: State, workflow: Workflow): void {
  if (isRunnable(state, workflow)) return;
  const worker = state.workers.get(workflow.workerId)?.name ?? "";
  throw new ApiError(
    400,
    NOT_DONE,
    `The workflow '${workflow.name}' cannot run now: the serving version of '${worker}' exports no workflow (WorkflowEntrypoint) named '${workflow.className}'. Deploy a version that does; its instances are kept.`,
  );
}

export const workflows = ({ account }: Api) => {
  const one = (c: Context, state = account.state): Workflow => {
    const name = param(c, "workflow");
    const found = workflowNamed(state, name);
    if (found === undefined) throw new ApiError(404, NO_WORKFLOW, `workflow.not_found: there is no workflow '${name}'`);
    return found;
  };
  const ask = async (workflow: Workflow, call: string, sent: object = {}): Promise<unknown> => {
    if (!WITHOUT_CLASS.has(call)) refuseWithoutClass(account.state, workflow);
    const answer = await account.runtime.calls.askWorkflow(workflow, call, sent);
    if (!("error" in answer)) return answer.done;
    const isMissing = /not_found/.test(answer.error);
    throw new ApiError(isMissing ? 404 : 400, isMissing ? NO_INSTANCE : NOT_DONE, answer.error);
  };
  const instancesOf = async (workflow: Workflow) => v.parse(Listed, await ask(workflow, "list"));
  const instanceOf = async (workflow: Workflow, id: string) => {
    const found = (await instancesOf(workflow)).find((instance) => instance.id === id);
    if (found === undefined) throw new ApiError(404, NO_INSTANCE, `instance.not_found: there is no instance '${id}'`);
    return found;
  };
  /** All of the instances, or none. */
  const create = async (workflow: Workflow, sent: readonly v.InferOutput<typeof NewInstance>[]) => {
    const instances = sent.map(({ instance_id: id, params }) => ({ ...(id !== undefined && { id }), params }));
    const created = v.parse(Created, await ask(workflow, "create-batch", { instances }));
    await account.change((draft) => {
      const known = draft.state.workflows.get(workflow.id);
      if (known !== undefined) draft.put("workflows", { ...known, triggeredOn: now() });
    });
    return created.map(({ id }) => ({
      id,
      status: "queued",
      version_id: workflow.versionId,
      workflow_id: workflow.id,
      trigger_source: "api",
    }));
  };
  const shown = async (workflow: Workflow) => ({
    ...shownWorkflow(account.state, workflow),
    instances: countsOf(await instancesOf(workflow)),
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
      const workflow = await account.change((draft) => putWorkflow(draft.state, param(c, "workflow"), sent, draft));
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
    .get("/:workflow/instances", async (c) => {
      const workflow = one(c);
      const [status, from, to] = ["status", "date_start", "date_end"].map((name) => c.req.query(name));
      const all = (await instancesOf(workflow)).filter(
        (instance) =>
          (status === undefined || instance.status === status) &&
          (from === undefined || instance.created >= Date.parse(from)) &&
          (to === undefined || instance.created <= Date.parse(to)),
      );
      if (c.req.query("direction") === "asc") all.reverse();
      const offset = Number(c.req.query("cursor") ?? 0) || 0;
      const { items, info } = pageOf(c, all.slice(offset), 10);
      const next = offset + items.length;
      return ok(
        c,
        items.map((instance) => shownListed(workflow, instance)),
        { ...info, total_count: all.length, ...(next < all.length && { cursor: String(next) }) },
      );
    })
    .post("/:workflow/instances", async (c) => {
      const [created] = await create(one(c), [await body(c, NewInstance)]);
      return ok(c, created);
    })
    .post("/:workflow/instances/batch", async (c) => {
      const workflow = one(c);
      const sent = v.safeParse(v.pipe(v.array(NewInstance), v.maxLength(100)), await json(c));
      if (!sent.success) throw invalid("the body must be a list of up to 100 instances.");
      return ok(c, await create(workflow, sent.output));
    })
    .get("/:workflow/instances/:instance", async (c) => {
      const workflow = one(c);
      const { id, version } = await instanceOf(workflow, param(c, "instance"));
      return ok(c, shownInstance(v.parse(Described, await ask(workflow, "describe", { id })), version));
    })
    .patch("/:workflow/instances/:instance/status", async (c) => {
      const workflow = one(c);
      const { status, ...how } = await body(c, Change);
      const { id } = await instanceOf(workflow, param(c, "instance"));
      // A rollback runs the code of the class.
      if (how.rollback === true) refuseWithoutClass(account.state, workflow);
      await ask(workflow, status, { id, ...how });
      return ok(c, { status: (await instanceOf(workflow, id)).status, timestamp: now() });
    })
    .post("/:workflow/instances/:instance/events/:type", async (c) => {
      const workflow = one(c);
      const payload = await json(c);
      const { id } = await instanceOf(workflow, param(c, "instance"));
      await ask(workflow, "event", { id, type: param(c, "type"), payload });
      return ok(c, { instanceId: id, timestamp: now() });
    });
};

interface Put {
  put(collection: "workflows", workflow: Workflow): Workflow;
}

/** Makes the workflow, or a new version of the one with this name, whichever Worker has that. @throws ApiError if the class is not there. */
function putWorkflow(state: State, name: string, sent: v.InferOutput<typeof Sent>, draft: Put): Workflow {
  if (!/^[a-zA-Z0-9_][a-zA-Z0-9-_]{0,63}$/.test(name))
    throw invalid(`workflow_name: '${name}' must be 1 to 64 letters, digits, '-' or '_', and not begin with '-'.`);
  const worker = script(state, sent.script_name);
  const className = sent.class_name;
  if (!isRunnable(state, { workerId: worker.id, className }))
    throw invalid(
      `class_name: the deployed version of '${worker.name}' exports no workflow (WorkflowEntrypoint) named '${className}'.`,
    );
  const before = workflowNamed(state, name);
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

const shownListed = (workflow: Workflow, instance: v.InferOutput<typeof Listed>[number]) => ({
  id: instance.id,
  status: instance.status,
  workflow_id: workflow.id,
  version_id: instance.version,
  created_on: new Date(instance.created).toISOString(),
  started_on: new Date(instance.created).toISOString(),
  modified_on: new Date(instance.modified).toISOString(),
  ended_on: instance.ended === null ? null : new Date(instance.ended).toISOString(),
});

/** How many instances have each state. */
function countsOf(instances: v.InferOutput<typeof Listed>): Record<string, number> {
  const groups = Map.groupBy(instances, ({ status }) => status);
  return Object.fromEntries([...groups].map(([status, all]) => [status, all.length]));
}
