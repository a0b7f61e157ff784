/** `/zones/:zone/workers/routes`: patterns of a zone that go to a Worker. */
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError, invalid } from "../errors.ts";
import { newTag } from "../ids.ts";
import type { Route, State } from "../model.ts";
import { workerNamed } from "../queries.ts";
import { parsePattern } from "../routing.ts";
import type { Draft } from "../store.ts";
import { parse } from "../upload.ts";
import type { Api } from "./app.ts";
import { body, json, param } from "./body.ts";
import { ok } from "./envelope.ts";

const RouteBody = v.object({ pattern: v.pipe(v.string(), v.nonEmpty()), script: v.optional(v.nullable(v.string())) });

export const routes = ({ account }: Api) => {
  const one = (state: State, zoneId: string, id: string): Route => {
    const route = state.routes.get(id);
    if (route === undefined || route.zoneId !== zoneId) throw new ApiError(404, 10022, `There is no route '${id}'.`);
    return route;
  };
  const put = (draft: Draft, id: string, zone: string, sent: v.InferOutput<typeof RouteBody>): Route => {
    check(draft.state, id, zone, sent);
    return draft.put("routes", { id, zoneId: zone, pattern: sent.pattern, script: sent.script || null });
  };
  return (
    new Hono()
      .get("/", (c) => {
        const zone = zoneOf(account.state, param(c, "zone"));
        return ok(c, [...account.state.routes.values()].filter(({ zoneId }) => zoneId === zone).map(shown));
      })
      .post("/", async (c) => {
        const sent = await body(c, RouteBody);
        const zone = zoneOf(account.state, param(c, "zone"));
        return ok(c, shown(await account.change((draft) => put(draft, newTag(), zone, sent))));
      })
      // All routes of a Worker at once, the way wrangler publishes them.
      .put("/", async (c) => {
        const sent = parse(v.array(RouteBody), await json(c));
        const zone = zoneOf(account.state, param(c, "zone"));
        const all = await account.change((draft) =>
          sent.map((route) => put(draft, existing(draft.state, zone, route.pattern)?.id ?? newTag(), zone, route)),
        );
        return ok(c, all.map(shown));
      })
      .get("/:route", (c) => ok(c, shown(one(account.state, param(c, "zone"), param(c, "route")))))
      .put("/:route", async (c) => {
        const sent = await body(c, RouteBody);
        const { id, zoneId } = one(account.state, param(c, "zone"), param(c, "route"));
        return ok(c, shown(await account.change((draft) => put(draft, id, zoneId, sent))));
      })
      .delete("/:route", async (c) => {
        const { id } = one(account.state, param(c, "zone"), param(c, "route"));
        await account.change((draft) => draft.delete("routes", id));
        return ok(c, { id });
      })
  );
};

function zoneOf(state: State, id: string): string {
  if (!state.zones.has(id))
    throw new ApiError(404, 7003, `There is no zone '${id}'. Look it up by its name first: GET /zones?name=…`);
  return id;
}

function check(state: State, id: string, zone: string, { pattern, script }: v.InferOutput<typeof RouteBody>): void {
  const parts = parsePattern(pattern);
  if (typeof parts === "string")
    throw new ApiError(400, 10022, `pattern: '${pattern}' is not a route pattern: ${parts}.`);
  const name = state.zones.get(zone)?.name ?? "";
  const host = parts.host.replace(/^\*\.?/, "");
  if (host !== name && !host.endsWith(`.${name}`))
    throw invalid(`pattern: '${pattern}' is not within the zone '${name}'.`);
  if (script && workerNamed(state, script) === undefined)
    throw new ApiError(404, 10019, `script: there is no Worker '${script}'.`);
  const other = existing(state, zone, pattern);
  if (other !== undefined && other.id !== id)
    throw new ApiError(
      409,
      10020,
      `A route with the pattern '${pattern}' exists already${other.script === null ? "" : ` (for '${other.script}')`}.`,
    );
}

const existing = (state: State, zone: string, pattern: string): Route | undefined =>
  [...state.routes.values()].find((route) => route.zoneId === zone && route.pattern === pattern);

const shown = ({ id, pattern, script }: Route) => ({ id, pattern, ...(script === null ? {} : { script }) });
