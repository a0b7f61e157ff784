/** `/accounts/:account/workers/workers`: Workers as resources, in the form of the Pulumi provider. */
import { Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import type { Observability, State, Worker } from "../model.ts";
import { boundBy, boundToService, namespacesOf, workerAt } from "../queries.ts";
import { createWorker, deleteWorker, renameWorker, WORKER_DEFAULTS } from "../workers.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";
import { resourceAt } from "./lookups.ts";
import { choice, DIRECTIONS, ordered } from "./ordering.ts";

const Settings = v.object({
  name: v.optional(v.string()),
  logpush: v.optional(v.boolean()),
  tags: v.optional(v.array(v.string())),
  tail_consumers: v.optional(v.nullable(v.array(v.object({ name: v.string() })))),
  observability: v.optional(v.looseObject({ enabled: v.optional(v.boolean()) })),
  subdomain: v.optional(v.looseObject({ enabled: v.optional(v.boolean()), previews_enabled: v.optional(v.boolean()) })),
});

/** By what a list can be ordered. */
const ORDERS = ["deployed_on", "updated_on", "created_on", "name"] as const;

const Replacement = v.object({ ...Settings.entries, name: v.pipe(v.string(), v.nonEmpty()) });

export const workers = (api: Api) => {
  const { account } = api;
  const show = (worker: Worker) => shown(account.state, api, worker);
  return new Hono()
    .get("/", (c) => {
      const all = [...account.state.workers.values()];
      const [by, direction] = [choice(c, "order_by", ORDERS), choice(c, "order", DIRECTIONS)];
      if (by === undefined && direction === undefined) return paged(c, all, show);
      return paged(
        c,
        ordered(all, (worker) => shown(account.state, api, worker)[by ?? "deployed_on"] ?? "", direction),
        show,
      );
    })
    .post("/", async (c) => {
      const { name, ...settings } = await body(c, Replacement);
      const worker = await account.change((draft) => createWorker(draft, name, applied(settings)));
      return ok(c, show(worker));
    })
    .get("/:worker", (c) => ok(c, show(resourceAt(account.state, param(c, "worker")))))
    .put("/:worker", async (c) => {
      const { name, ...settings } = await body(c, Replacement);
      const worker = await account.change((draft) =>
        draft.put("workers", {
          ...renameWorker(draft, resourceAt(draft.state, param(c, "worker")), name),
          ...WORKER_DEFAULTS,
          ...applied(settings),
        }),
      );
      return ok(c, show(worker));
    })
    .patch("/:worker", async (c) => {
      const { name, ...settings } = await body(c, Settings);
      const worker = await account.change((draft) => {
        const before = resourceAt(draft.state, param(c, "worker"));
        return draft.put("workers", {
          ...renameWorker(draft, before, name ?? before.name),
          ...applied(settings, before),
        });
      });
      return ok(c, show(worker));
    })
    .delete("/:worker", async (c) => {
      const force = c.req.query("force") === "true";
      await account.change((draft) => deleteWorker(draft, resourceAt(draft.state, param(c, "worker")), force));
      return ok(c, null);
    });
};

/** The settings of a record: those that were sent, else the previous ones, else the defaults. */
function applied(settings: Omit<v.InferOutput<typeof Settings>, "name">, before?: Worker): Partial<Worker> {
  const { logpush, tags, tail_consumers, observability, subdomain } = settings;
  return {
    updatedOn: now(),
    ...(logpush !== undefined && { logpush }),
    ...(tags !== undefined && { tags }),
    ...(tail_consumers !== undefined && { tailConsumers: tail_consumers ?? [] }),
    ...(observability !== undefined && { observability: merged(before, observability) }),
    ...(subdomain !== undefined && {
      subdomain: {
        enabled: subdomain.enabled ?? before?.subdomain.enabled ?? false,
        previews_enabled: subdomain.previews_enabled ?? before?.subdomain.previews_enabled ?? false,
      },
    }),
  };
}

function merged(
  before: Worker | undefined,
  sent: Record<string, unknown> & { enabled?: boolean | undefined },
): Observability {
  const base = before?.observability ?? WORKER_DEFAULTS.observability;
  return { ...base, ...sent, enabled: sent.enabled ?? base.enabled };
}

function shown(state: State, { addressOf }: Api, worker: Worker) {
  return {
    id: worker.id,
    name: worker.name,
    created_on: worker.createdOn,
    updated_on: worker.updatedOn,
    deployed_on: worker.deployedOn,
    logpush: worker.logpush,
    observability: worker.observability,
    references: references(state, worker),
    subdomain: {
      ...worker.subdomain,
      url: addressOf(worker.name),
      preview_url_suffix: `-${new URL(addressOf(worker.name)).host}`,
    },
    tags: worker.tags,
    tail_consumers: worker.tailConsumers.map(({ name, service }) => ({ name: name ?? service ?? "" })),
  };
}

/** The Workers that depend on this one. */
function references(state: State, worker: Worker) {
  return {
    dispatch_namespace_outbounds: [],
    domains: [...state.domains.values()]
      .filter(({ service }) => service === worker.name)
      .map((domain) => ({
        id: domain.id,
        certificate_id: domain.certId,
        hostname: domain.hostname,
        zone_id: domain.zoneId,
        zone_name: state.zones.get(domain.zoneId)?.name ?? "",
      })),
    durable_objects: namespacesOf(state, worker.id).flatMap(({ id, className }) =>
      boundBy(state, worker, className, id).map((name) => ({
        namespace_id: id,
        namespace_name: `${worker.name}_${className}`,
        worker_id: workerAt(state, name)?.id ?? "",
        worker_name: name,
      })),
    ),
    queues: [...state.consumers.values()]
      .filter(({ workerId }) => workerId === worker.id)
      .map(({ id, queueId }) => ({
        queue_consumer_id: id,
        queue_id: queueId,
        queue_name: state.queues.get(queueId)?.name ?? "",
      })),
    workers: boundToService(state, worker).map(({ id, name }) => ({ id, name })),
  };
}
