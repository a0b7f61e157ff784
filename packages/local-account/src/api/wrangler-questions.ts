/**
 * What wrangler asks about a Worker: `/accounts/:account/workers/services`, `…/domains/records`, `…/references`,
 * `…/tails/by-consumer`.
 */
import { Hono } from "hono";
import { shownBinding } from "../bindings.ts";
import { ApiError } from "../errors.ts";
import type { State, Worker } from "../model.ts";
import { boundBy, boundToService, namespacesOf, servingVersions } from "../queries.ts";
import { consumersOf } from "../tail-consumers.ts";
import { deleteWorker } from "../workers.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { domainOf } from "./domains.ts";
import { ok } from "./envelope.ts";
import { scriptAt, serviceAt } from "./lookups.ts";
import { routeOf } from "./routes.ts";
import { shownScript } from "./scripts.ts";

export const wranglerQuestions = ({ account }: Api) => {
  const environment = (worker: Worker) => ({
    environment: "production",
    created_on: worker.createdOn,
    modified_on: worker.updatedOn,
    script: shownScript(account.state, worker),
  });
  return new Hono()
    .get("/services/:script", (c) => {
      const worker = serviceAt(account.state, param(c, "script"));
      const { environment: name, created_on, modified_on } = environment(worker);
      return ok(c, {
        id: worker.name,
        created_on: worker.createdOn,
        modified_on: worker.updatedOn,
        default_environment: environment(worker),
        environments: [{ environment: name, created_on, modified_on }],
      });
    })
    .delete("/services/:script", async (c) => {
      const force = c.req.query("force") === "true";
      await account.change((draft) => deleteWorker(draft, serviceAt(draft.state, param(c, "script")), force));
      return ok(c, null);
    })
    .get("/services/:script/environments/:environment", (c) =>
      ok(c, environment(serviceAt(account.state, param(c, "script")))),
    )
    .get("/services/:script/environments/:environment/bindings", (c) => {
      const version = servingVersions(account.state, serviceAt(account.state, param(c, "script")).id)[0]?.version;
      return ok(c, version?.bindings.map(shownBinding) ?? []);
    })
    .get("/services/:script/environments/:environment/routes", (c) => {
      const { name } = serviceAt(account.state, param(c, "script"));
      const own = [...account.state.routes.values()].filter((route) => route.script === name);
      return ok(
        c,
        own.map((route) => ({ ...routeOf(route), zone_name: account.state.zones.get(route.zoneId)?.name })),
      );
    })
    .get("/services/:script/environments/:environment/subdomain", (c) =>
      ok(c, serviceAt(account.state, param(c, "script")).subdomain),
    )
    .get("/domains/records", (c) => {
      const own = [...account.state.domains.values()].filter(({ service: name }) => name === c.req.query("service"));
      return ok(
        c,
        own.map((domain) => domainOf(account.state, domain)),
      );
    })
    .get("/domains/records/:domain", (c) => {
      const domain = account.state.domains.get(param(c, "domain"));
      if (domain === undefined) throw new ApiError(404, 100114, `There is no custom domain '${param(c, "domain")}'.`);
      return ok(c, domainOf(account.state, domain));
    })
    .get("/scripts/:script/references", (c) =>
      ok(c, references(account.state, scriptAt(account.state, param(c, "script")))),
    )
    .get("/tails/by-consumer/:script", (c) => {
      const { name } = scriptAt(account.state, param(c, "script"));
      const producers = [...account.state.workers.values()].filter((worker) => consumersOf(worker).includes(name));
      return ok(
        c,
        producers.map((producer) => ({ consumer: { service: name }, producer: { script: producer.name } })),
      );
    });
};

/** The Workers that depend on this one, in the form that `wrangler delete` reads. */
function references(state: State, worker: Worker) {
  return {
    services: {
      incoming: boundToService(state, worker).map(({ name }) => ({
        service: name,
        environment: "production",
        name,
      })),
      outgoing: [],
      pages_function: false,
    },
    durable_objects: namespacesOf(state, worker.id).flatMap(({ id, className }) =>
      boundBy(state, worker, className, id).map((name) => ({
        service: name,
        environment: "production",
        name,
        durable_object_namespace_id: id,
        durable_object_namespace_name: `${worker.name}_${className}`,
      })),
    ),
    dispatch_outbounds: [],
  };
}
