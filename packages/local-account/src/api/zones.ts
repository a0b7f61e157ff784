/** `/zones`: the domains of the account. */
import { Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { now } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { tagOf } from "../ids.ts";
import type { Zone } from "../model.ts";
import type { Draft } from "../store.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

/** A host name of at least two labels, in lower case however it was sent. */
export const HostName = v.pipe(
  v.string(),
  v.regex(/^([a-z0-9-]+\.)+[a-z0-9-]+$/i, "must be a host name"),
  v.toLowerCase(),
);

const NewZone = v.object({ name: HostName });

/**
 * Domains cannot be bought here, so a look-up of a registrable name, such as `example.com`, makes its zone. Deeper
 * names are zones only if they were created.
 */
export const zones = ({ account }: Api) =>
  new Hono()
    .get("/", async (c) => {
      const name = c.req.query("name")?.toLowerCase();
      if (name !== undefined && /^[a-z0-9-]+\.[a-z0-9-]+$/.test(name))
        await account.change((draft) => zoneNamed(draft, name));
      const all = [...account.state.zones.values()].filter((zone) => name === undefined || zone.name === name);
      return paged(c, all, (zone) => shown(account, zone));
    })
    .post("/", async (c) => {
      const { name } = await body(c, NewZone);
      return ok(c, shown(account, await account.change((draft) => zoneNamed(draft, name))));
    })
    .get("/:zone", (c) => {
      const zone = account.state.zones.get(param(c, "zone"));
      if (zone === undefined) throw new ApiError(404, 1001, `Invalid zone identifier: ${param(c, "zone")}`);
      return ok(c, shown(account, zone));
    });

/** The zone with this name. Makes it if there is none. */
export function zoneNamed(draft: Draft, name: string): Zone {
  const zone = draft.state.zones.get(tagOf(name));
  return zone ?? draft.put("zones", { id: tagOf(name), name, createdOn: now() });
}

/** The zone of a host: of those that are there the longest, else that of its last two labels, which it makes. */
export function zoneOfHost(draft: Draft, host: string): Zone {
  const [known] = [...draft.state.zones.values()]
    .filter((zone) => isWithin(host, zone))
    .sort((a, b) => b.name.length - a.name.length);
  return known ?? zoneNamed(draft, host.split(".").slice(-2).join("."));
}

export const isWithin = (host: string, { name }: Zone): boolean => host === name || host.endsWith(`.${name}`);

/** Why a call that names a zone by an id is refused, where there is none. */
export const noZone = (id: string): string =>
  `zone_id: there is no zone '${id}'. In a local account a look-up by name makes one, and answers with its id: GET /client/v4/zones?name=example.com.`;

const shown = ({ identity }: Account, { id, name, createdOn }: Zone) => ({
  id,
  name,
  status: "active",
  paused: false,
  type: "full",
  development_mode: 0,
  account: { id: identity.accountId, name: "Local account" },
  owner: { id: identity.accountId, name: "Local account", type: "user" },
  plan: { id: "free", name: "Free Website", price: 0, currency: "USD", is_subscribed: false, legacy_id: "free" },
  meta: { cdn_only: false, dns_only: false, foundation_dns: false, phishing_detected: false },
  name_servers: [],
  original_name_servers: [],
  original_dnshost: null,
  original_registrar: null,
  created_on: createdOn,
  modified_on: createdOn,
  activated_on: createdOn,
});
