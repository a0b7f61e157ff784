/** `/accounts/:account/storage/kv/namespaces`: KV namespaces, and the keys and values in them. */
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError, noSuchNamespace } from "../errors.ts";
import { newTag } from "../ids.ts";
import type { KvNamespace, State } from "../model.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";
import { choice, DIRECTIONS, ordered } from "./ordering.ts";

const Title = v.object({ title: v.pipe(v.string(), v.nonEmpty(), v.maxLength(512)) });

export const kv = ({ account }: Api) => {
  const one = (id: string, state = account.state): KvNamespace => {
    const namespace = state.kvNamespaces.get(id);
    if (namespace === undefined) throw noSuchNamespace(id);
    return namespace;
  };
  return new Hono()
    .get("/", (c) => {
      const namespaces = [...account.state.kvNamespaces.values()];
      const [order, direction] = [choice(c, "order", ["id", "title"]), choice(c, "direction", DIRECTIONS)];
      if (order === undefined && direction === undefined) return paged(c, namespaces, shown);
      return paged(
        c,
        ordered(namespaces, (namespace) => namespace[order ?? "id"], direction),
        shown,
      );
    })
    .post("/", async (c) => {
      const { title } = await body(c, Title);
      return ok(
        c,
        shown(
          await account.change((draft) => {
            vacant(draft.state, title);
            return draft.put("kvNamespaces", { id: newTag(), title });
          }),
        ),
      );
    })
    .get("/:namespace", (c) => ok(c, shown(one(param(c, "namespace")))))
    .put("/:namespace", async (c) => {
      const { title } = await body(c, Title);
      return ok(
        c,
        shown(
          await account.change((draft) => {
            const { id } = one(param(c, "namespace"), draft.state);
            vacant(draft.state, title, id);
            return draft.put("kvNamespaces", { id, title });
          }),
        ),
      );
    })
    .delete("/:namespace", async (c) => {
      await account.change((draft) => draft.delete("kvNamespaces", one(param(c, "namespace"), draft.state).id));
      return ok(c, {});
    });
};

function vacant(state: State, title: string, except?: string): void {
  if ([...state.kvNamespaces.values()].some((other) => other.title === title && other.id !== except))
    throw new ApiError(400, 10014, `a namespace with this account ID and title already exists: ${title}`);
}

const shown = ({ id, title }: KvNamespace) => ({ id, title, supports_url_encoding: true });
