/** `/zones/:zone/workers/routes`: patterns of a zone, each with the Worker that answers. */
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError, invalid } from "../errors.ts";
import { newTag } from "../ids.ts";
import type { Route, State } from "../model.ts";
import { workerNamed } from "../queries.ts";
import { parsePattern } from "../routing.ts";
import type { Draft } from "../store.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";

const RouteBody = v.object({ pattern: v.pipe(v.string(), v.nonEmpty()), script: v.optional(v.nullable(v.string())) });

type Sent = v.InferOutput<typeof RouteBody>;

export const routes = ({ account }: Api) => {
  const one = (c: Parameters<typeof param>[0], state: State): Route => {
    const route = state.routes.get(param(c, "route"));
    if (route === undefined || route.zoneId !== param(c, "zone"))
      throw new ApiError(404, 10022, `There is no route '${param(c, "route")}'.`);
    return route;
  };
  return new Hono()
    .get("/", (c) => {
      const zone = zoneOf(account.state, param(c, "zone"));
      return ok(c, [...account.state.routes.values()].filter(({ zoneId }) => zoneId === zone).map(routeOf));
    })
    .post("/", async (c) => {
      const sent = await body(c, RouteBody);
      const route = await account.change((draft) => {
        const zone = zoneOf(draft.state, param(c, "zone"));
        const other = withPattern(draft.state, zone, sent.pattern);
        if (other !== undefined) throw taken(other);
        return putRoute(draft, zone, sent, newTag());
      });
      return ok(c, routeOf(route));
    })
    .get("/:route", (c) => ok(c, routeOf(one(c, account.state))))
    .put("/:route", async (c) => {
      const sent = await body(c, RouteBody);
      const route = await account.change((draft) => {
        const { id, zoneId } = one(c, draft.state);
        return putRoute(draft, zoneId, sent, id);
      });
      return ok(c, routeOf(route));
    })
    .delete("/:route", async (c) => {
      const id = await account.change((draft) => {
        const route = one(c, draft.state);
        draft.delete("routes", route.id);
        return route.id;
      });
      return ok(c, { id });
    });
};

/** Writes the route with this id. Without an id: the route with the same pattern and Worker, or a new one. */
export function putRoute(draft: Draft, zoneId: string, sent: Sent, id?: string): Route {
  check(draft.state, zoneId, sent);
  const script = sent.script || null;
  const other = withPattern(draft.state, zoneId, sent.pattern);
  if (other !== undefined && other.id !== id && (id !== undefined || other.script !== script)) throw taken(other);
  return draft.put("routes", { id: id ?? other?.id ?? newTag(), zoneId, pattern: sent.pattern, script });
}

/** A route as the API shows it. */
export const routeOf = ({ id, pattern, script }: Route) => ({ id, pattern, ...(script !== null && { script }) });

function zoneOf(state: State, id: string): string {
  if (!state.zones.has(id))
    throw new ApiError(404, 7003, `There is no zone '${id}'. Look it up by its name first: GET /zones?name=…`);
  return id;
}

function check(state: State, zone: string, { pattern, script }: Sent): void {
  const parts = parsePattern(pattern);
  if (typeof parts === "string")
    throw new ApiError(400, 10022, `pattern: '${pattern}' is not a route pattern: ${parts}.`);
  const name = state.zones.get(zone)?.name ?? "";
  const host = parts.host.replace(/^\*\.?/, "");
  if (host !== name && !host.endsWith(`.${name}`))
    throw invalid(`pattern: '${pattern}' is not within the zone '${name}'.`);
  if (script && workerNamed(state, script) === undefined)
    throw new ApiError(404, 10019, `script: there is no Worker '${script}'.`);
}

const withPattern = (state: State, zone: string, pattern: string): Route | undefined =>
  [...state.routes.values()].find((route) => route.zoneId === zone && route.pattern === pattern);

const taken = ({ pattern, script }: Route) =>
  new ApiError(
    409,
    10020,
    `A route with the pattern '${pattern}' exists already${script === null ? "" : ` (for '${script}')`}.`,
  );
