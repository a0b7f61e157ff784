/** `/accounts/:account/workers/durable_objects/namespaces`: the namespaces, and the objects that have data. */
import { Hono } from "hono";
import { ApiError } from "../errors.ts";
import type { Namespace, State } from "../model.ts";
import type { ObjectFiles } from "../runtime/objects.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { countIn, ok, paged } from "./envelope.ts";

export const durableObjects = ({ account }: Api) =>
  new Hono()
    .get("/", (c) => paged(c, [...account.state.namespaces.values()], (namespace) => shown(account.state, namespace)))
    .get("/:namespace/objects", async (c) => {
      const id = param(c, "namespace");
      if (!account.state.namespaces.has(id)) throw new ApiError(404, 10066, `There is no namespace '${id}'.`);
      const limit = countIn(c, "limit", 1_000, 10_000);
      const after = c.req.query("cursor") ?? "";
      const ids = (await account.objects.ids(id)).filter((object) => object > after);
      const page = ids.slice(0, limit);
      const cursor = ids.length > limit ? (page.at(-1) ?? "") : "";
      return ok(c, await shownObjects(account.objects, id, page), { count: page.length, cursor });
    });

/** How many objects are read at a time: each is in memory as a whole. */
const AT_ONCE = 4;

async function shownObjects(objects: ObjectFiles, namespaceId: string, ids: readonly string[]) {
  const shown: { readonly id: string; readonly hasStoredData: boolean }[] = [];
  for (let done = 0; done < ids.length; done += AT_ONCE)
    shown.push(
      ...(await Promise.all(
        ids
          .slice(done, done + AT_ONCE)
          .map(async (id) => ({ id, hasStoredData: await objects.hasStoredData(namespaceId, id) })),
      )),
    );
  return shown;
}

function shown(state: State, { id, workerId, className, storage }: Namespace) {
  const script = state.workers.get(workerId)?.name ?? "";
  return { id, name: `${script}_${className}`, script, class: className, use_sqlite: storage === "sqlite" };
}
