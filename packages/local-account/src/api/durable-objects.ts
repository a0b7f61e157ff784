/** `/accounts/:account/workers/durable_objects/namespaces`: the namespaces, and the objects that have data. */
import { Hono } from "hono";
import { ApiError } from "../errors.ts";
import type { Namespace, State } from "../model.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

export const durableObjects = ({ account }: Api) =>
  new Hono()
    .get("/", (c) => paged(c, [...account.state.namespaces.values()], (namespace) => shown(account.state, namespace)))
    .get("/:namespace/objects", async (c) => {
      const id = param(c, "namespace");
      if (!account.state.namespaces.has(id)) throw new ApiError(404, 10066, `There is no namespace '${id}'.`);
      const limit = Math.min(Math.max(Number(c.req.query("limit") ?? 1_000) || 1_000, 1), 10_000);
      const after = c.req.query("cursor") ?? "";
      const ids = (await account.objects.ids(id)).filter((object) => object > after);
      const page = ids.slice(0, limit);
      return ok(
        c,
        await Promise.all(
          page.map(async (object) => ({ id: object, hasStoredData: await account.objects.hasStoredData(id, object) })),
        ),
        { count: page.length, cursor: ids.length > limit ? (page.at(-1) ?? "") : "" },
      );
    });

function shown(state: State, { id, workerId, className, storage }: Namespace) {
  const script = state.workers.get(workerId)?.name ?? "";
  return { id, name: `${script}_${className}`, script, class: className, use_sqlite: storage === "sqlite" };
}
