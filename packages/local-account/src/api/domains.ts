/** `/accounts/:account/workers/domains`: host names that belong to one Worker. */
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError, invalid } from "../errors.ts";
import { newTag, newUuid } from "../ids.ts";
import type { Domain, State, Zone } from "../model.ts";
import { workerNamed } from "../queries.ts";
import type { Draft } from "../store.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { HostName, isWithin, noZone, zoneNamed, zoneOfHost } from "./zones.ts";

/** What a call says of a custom domain. */
export const Origin = v.looseObject({
  hostname: HostName,
  zone_id: v.optional(v.nullable(v.string())),
  zone_name: v.optional(v.nullable(HostName)),
});

const DomainBody = v.looseObject({ ...Origin.entries, service: v.pipe(v.string(), v.nonEmpty()) });

export const domains = ({ account }: Api) => {
  const show = (domain: Domain) => domainOf(account.state, domain);
  const one = (id: string, state = account.state): Domain => {
    const domain = state.domains.get(id);
    if (domain === undefined) throw new ApiError(404, 100114, `There is no custom domain '${id}'.`);
    return domain;
  };
  return new Hono()
    .get("/", (c) => {
      const matches = (domain: ReturnType<typeof show>) =>
        (["hostname", "service", "zone_id", "zone_name", "environment"] as const).every(
          (field) => (c.req.query(field) ?? domain[field]) === domain[field],
        );
      return ok(c, [...account.state.domains.values()].map(show).filter(matches));
    })
    .put("/", async (c) => {
      const sent = await body(c, DomainBody);
      return ok(c, show(await account.change((draft) => putDomain(draft, sent))));
    })
    .get("/:domain", (c) => ok(c, show(one(param(c, "domain")))))
    .delete("/:domain", async (c) => {
      await account.change((draft) => draft.delete("domains", one(param(c, "domain"), draft.state).id));
      return ok(c, null);
    });
};

/** Attaches the host name to the Worker, and detaches it from any other. */
export function putDomain(draft: Draft, sent: v.InferOutput<typeof DomainBody>): Domain {
  const { hostname } = sent;
  if (workerNamed(draft.state, sent.service) === undefined)
    throw new ApiError(404, 10007, `service: there is no Worker '${sent.service}'.`);
  const zone = zoneFor(draft, hostname, sent.zone_id ?? undefined, sent.zone_name ?? undefined);
  const before = [...draft.state.domains.values()].find((domain) => domain.hostname === hostname);
  return draft.put("domains", {
    id: before?.id ?? newTag(),
    hostname,
    service: sent.service,
    zoneId: zone.id,
    certId: before?.certId ?? newUuid(),
  });
}

function zoneFor(draft: Draft, hostname: string, id: string | undefined, name: string | undefined): Zone {
  const named = name === undefined ? zoneOfHost : () => zoneNamed(draft, name);
  const zone = id === undefined ? named(draft, hostname) : draft.state.zones.get(id);
  if (zone === undefined) throw new ApiError(404, 7003, noZone(String(id)));
  if (!isWithin(hostname, zone)) throw invalid(`hostname: '${hostname}' is not within the zone '${zone.name}'.`);
  return zone;
}

/** A custom domain as the API shows it. */
export const domainOf = (state: State, { id, hostname, service, zoneId, certId }: Domain) => ({
  id,
  hostname,
  service,
  zone_id: zoneId,
  zone_name: state.zones.get(zoneId)?.name ?? "",
  cert_id: certId,
  environment: "production",
});
