/** `/accounts/:account/workers/scripts/:script/routes` and `…/domains`: all addresses of a Worker at once, as wrangler sets them. */
import { Hono } from "hono";
import * as v from "valibot";
import { invalid } from "../errors.ts";
import type { Domain, State, Zone } from "../model.ts";
import { parse } from "../parse.ts";
import { parsePattern } from "../routing.ts";
import type { Draft } from "../store.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { domainOf, Origin, putDomain } from "./domains.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";
import { putRoute, routeOf } from "./routes.ts";
import { HostName, noZone, zoneNamed, zoneOfHost } from "./zones.ts";

const Routes = v.array(
  v.looseObject({
    pattern: v.pipe(v.string(), v.nonEmpty()),
    zone_id: v.optional(v.string()),
    zone_name: v.optional(HostName),
  }),
);

export const triggers = ({ account }: Api) =>
  new Hono()
    .get("/:script/routes", (c) => {
      const { name } = scriptAt(account.state, param(c, "script"));
      return ok(c, [...account.state.routes.values()].filter((route) => route.script === name).map(routeOf));
    })
    // Removes routes of the Worker that are not in the list.
    .put("/:script/routes", async (c) => {
      const sent = parse(Routes, await json(c));
      const routes = await account.change((draft) => {
        const { name } = scriptAt(draft.state, param(c, "script"));
        for (const { id, script: owner, pattern } of draft.state.routes.values())
          if (owner === name && !sent.some((route) => route.pattern === pattern)) draft.delete("routes", id);
        return sent.map((route) => {
          const zone = zoneOfRoute(draft, route);
          return putRoute(draft, zone.id, { pattern: route.pattern, script: name });
        });
      });
      return ok(c, routes.map(routeOf));
    })
    .post("/:script/domains/changeset", async (c) => {
      const { name } = scriptAt(account.state, param(c, "script"));
      const origins = parse(v.array(Origin), await json(c));
      return ok(c, changeset(account.state, name, origins, c.req.query("replace_state") === "true"));
    })
    .put("/:script/domains/records", async (c) => {
      const { origins } = await body(c, v.looseObject({ origins: v.array(Origin) }));
      const domains = await account.change((draft) => {
        const { name } = scriptAt(draft.state, param(c, "script"));
        for (const { id, hostname, service } of draft.state.domains.values())
          if (service === name && !origins.some((origin) => origin.hostname === hostname)) draft.delete("domains", id);
        return origins.map((origin) => putDomain(draft, { ...origin, service: name }));
      });
      return ok(
        c,
        domains.map((domain) => domainOf(account.state, domain)),
      );
    });

/** The zone of a route: the one that it names, else that of its host. */
function zoneOfRoute(draft: Draft, { pattern, zone_id, zone_name }: v.InferOutput<typeof Routes>[number]): Zone {
  const parts = parsePattern(pattern);
  if (typeof parts === "string") throw invalid(`pattern: '${pattern}' is not a route pattern: ${parts}.`);
  if (zone_id !== undefined) {
    const zone = draft.state.zones.get(zone_id);
    if (zone === undefined) throw invalid(noZone(zone_id));
    return zone;
  }
  if (zone_name !== undefined) return zoneNamed(draft, zone_name);
  return zoneOfHost(draft, parts.host.replace(/^\*\.?/, ""));
}

/** The changes that `PUT …/domains/records` would make. */
function changeset(state: State, name: string, origins: v.InferOutput<typeof Origin>[], replace: boolean) {
  const domains = [...state.domains.values()];
  const known = (hostname: string): Domain | undefined => domains.find((domain) => domain.hostname === hostname);
  return {
    added: origins.filter(({ hostname }) => known(hostname) === undefined),
    removed: replace
      ? domains
          .filter(
            ({ service, hostname }) => service === name && !origins.some((origin) => origin.hostname === hostname),
          )
          .map((domain) => domainOf(state, domain))
      : [],
    updated: origins.flatMap(({ hostname }) => {
      const domain = known(hostname);
      return domain === undefined ? [] : [{ ...domainOf(state, domain), modified: domain.service !== name }];
    }),
    conflicting: [],
  };
}
