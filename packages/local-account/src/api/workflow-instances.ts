/** `/accounts/:account/workflows/:workflow/instances`: to list, create, describe and change them. */
import { Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { now } from "../clock.ts";
import { invalid } from "../errors.ts";
import type { Workflow } from "../model.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, pageOf } from "./envelope.ts";
import { askEngine, type Instance, instanceOf, instancesOf, refuseWithoutClass, workflowAt } from "./workflow-calls.ts";
import { Described, shownInstance } from "./workflow-steps.ts";

const NewInstance = v.looseObject({ instance_id: v.optional(v.string()), params: v.optional(v.unknown()) });
const Change = v.looseObject({
  status: v.picklist(["pause", "resume", "terminate", "restart"]),
  from: v.optional(v.unknown()),
  rollback: v.optional(v.boolean()),
});

const Created = v.array(v.object({ id: v.string() }));

export const workflowInstances = ({ account }: Api) => {
  const one = (c: Parameters<typeof param>[0]) => workflowAt(account.state, param(c, "workflow"));
  return new Hono()
    .get("/", async (c) => {
      const workflow = one(c);
      const [status, from, to] = ["status", "date_start", "date_end"].map((name) => c.req.query(name));
      const all = (await instancesOf(account, workflow)).filter(
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
    .post("/", async (c) => {
      const [created] = await create(account, one(c), [await body(c, NewInstance)]);
      return ok(c, created);
    })
    .post("/batch", async (c) => {
      const workflow = one(c);
      const sent = v.safeParse(v.pipe(v.array(NewInstance), v.maxLength(100)), await json(c));
      if (!sent.success) throw invalid("the body must be a list of up to 100 instances.");
      return ok(c, await create(account, workflow, sent.output));
    })
    .get("/:instance", async (c) => {
      const workflow = one(c);
      const { id, version } = await instanceOf(account, workflow, param(c, "instance"));
      return ok(c, shownInstance(v.parse(Described, await askEngine(account, workflow, "describe", { id })), version));
    })
    .patch("/:instance/status", async (c) => {
      const workflow = one(c);
      const { status, ...how } = await body(c, Change);
      const { id } = await instanceOf(account, workflow, param(c, "instance"));
      // A rollback runs the code of the class.
      if (how.rollback === true) refuseWithoutClass(account.state, workflow);
      await askEngine(account, workflow, status, { id, ...how });
      return ok(c, { status: (await instanceOf(account, workflow, id)).status, timestamp: now() });
    })
    .post("/:instance/events/:type", async (c) => {
      const workflow = one(c);
      const payload = await json(c);
      const { id } = await instanceOf(account, workflow, param(c, "instance"));
      await askEngine(account, workflow, "event", { id, type: param(c, "type"), payload });
      return ok(c, { instanceId: id, timestamp: now() });
    });
};

/** Creates all of the instances, or none. */
async function create(account: Account, workflow: Workflow, sent: readonly v.InferOutput<typeof NewInstance>[]) {
  const instances = sent.map(({ instance_id: id, params }) => ({ ...(id !== undefined && { id }), params }));
  const created = v.parse(Created, await askEngine(account, workflow, "create-batch", { instances }));
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
}

const shownListed = (workflow: Workflow, instance: Instance) => ({
  id: instance.id,
  status: instance.status,
  workflow_id: workflow.id,
  version_id: instance.version,
  created_on: new Date(instance.created).toISOString(),
  started_on: new Date(instance.created).toISOString(),
  modified_on: new Date(instance.modified).toISOString(),
  ended_on: instance.ended === null ? null : new Date(instance.ended).toISOString(),
});
