/** `/accounts/:account/workers/scripts/:script/deployments`: which versions get a Worker's traffic. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { annotationsOf } from "../annotations.ts";
import { deploy } from "../deploy.ts";
import { ApiError } from "../errors.ts";
import type { Deployment, State } from "../model.ts";
import { deploymentsOf } from "../queries.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, pageOf } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";
import { EMAIL } from "./user.ts";

const NewDeployment = v.object({
  strategy: v.optional(v.literal("percentage"), "percentage"),
  versions: v.array(
    v.object({
      version_id: v.pipe(v.string(), v.nonEmpty()),
      percentage: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
    }),
  ),
  annotations: v.optional(v.nullable(v.record(v.string(), v.nullish(v.string())))),
});

export const deployments = ({ account }: Api) => {
  const one = (c: Parameters<typeof param>[0], state: State): Deployment => {
    const worker = scriptAt(state, param(c, "script"));
    const match = deploymentsOf(state, worker.id).find(({ id }) => id === param(c, "deployment"));
    if (match === undefined)
      throw new ApiError(404, 10222, `'${worker.name}' has no deployment '${param(c, "deployment")}'.`);
    return match;
  };
  return new Hono()
    .get("/", (c) => {
      const { id } = scriptAt(account.state, param(c, "script"));
      const [since, until] = [c.req.query("since"), c.req.query("until")].map((time) => time && Date.parse(time));
      const within = deploymentsOf(account.state, id).filter(({ createdOn }) => {
        const at = Date.parse(createdOn);
        return !(since && at < since) && !(until && at > until);
      });
      const { items, info } = pageOf(c, within, Math.max(within.length, 1));
      return ok(c, { deployments: items.map(shown) }, info);
    })
    .post("/", async (c) => {
      const { versions, annotations } = await body(c, NewDeployment);
      const deployment = await account.change((draft) =>
        deploy(draft, scriptAt(draft.state, param(c, "script")).id, versions, {
          plan: account.plan,
          force: c.req.query("force") === "true",
          source: sourceOf(c),
          annotations: { ...annotationsOf(annotations), "workers/triggered_by": "deployment" },
        }),
      );
      return ok(c, shown(deployment));
    })
    .get("/:deployment", (c) => ok(c, shown(one(c, account.state))))
    .delete("/:deployment", async (c) => {
      await account.change((draft) => {
        const { id, workerId } = one(c, draft.state);
        if (deploymentsOf(draft.state, workerId)[0]?.id === id)
          throw new ApiError(400, 10021, `Deployment ${id} serves traffic; the latest one cannot be deleted.`);
        draft.delete("deployments", id);
      });
      return ok(c, null);
    });
};

/** The `source` of a change, by the client's user agent. */
export const sourceOf = (c: Context) => (/wrangler/i.test(c.req.header("user-agent") ?? "") ? "wrangler" : "api");

const shown = ({ id, createdOn, source, versions, annotations }: Deployment) => ({
  id,
  source,
  strategy: "percentage",
  author_email: EMAIL,
  annotations,
  versions,
  created_on: createdOn,
});
