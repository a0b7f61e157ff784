/** `/accounts/:account/hyperdrive/configs`: the addresses of databases. Workers connect to them directly. */
import { isIPv6 } from "node:net";
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { newTag } from "../ids.ts";
import type { Hyperdrive, State } from "../model.ts";
import { parse } from "../parse.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

/** A text that can be a part of a URL. */
const text = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.check((value) => value.isWellFormed(), "must not have half a character (a lone surrogate)"),
);
const SCHEMES = ["postgres", "postgresql", "mysql"] as const;

/** An IPv6 address may be in brackets. */
function isHost(host: string): boolean {
  const [, inBrackets] = /^\[(.*)\]$/.exec(host) ?? [];
  return /^[\w.-]+$/.test(host) || (isIPv6(inBrackets ?? host) && !host.includes("%"));
}

const Origin = v.object({
  scheme: v.picklist(SCHEMES),
  host: v.pipe(text, v.check(isHost, "must be a name of a machine or an IP address, without a port")),
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))),
  database: text,
  user: text,
  password: text,
});
const Caching = v.looseObject({
  disabled: v.optional(v.boolean(), false),
  max_age: v.exactOptional(v.number()),
  stale_while_revalidate: v.exactOptional(v.number()),
});
const Config = v.looseObject({
  name: text,
  origin: Origin,
  caching: v.optional(Caching),
  origin_connection_limit: v.exactOptional(v.pipe(v.number(), v.integer())),
});
/** What an edit leaves out stays. */
const Edit = v.looseObject({ origin: v.optional(v.looseObject({})) });
const Elsewhere = v.object({
  origin: v.union([v.looseObject({ access_client_id: v.string() }), v.looseObject({ service_id: v.string() })]),
});

export const hyperdrive = ({ account }: Api) => {
  const one = (c: Context, state = account.state): Hyperdrive => {
    const found = state.hyperdrives.get(param(c, "config"));
    if (found === undefined)
      throw new ApiError(404, 2003, `There is no Hyperdrive configuration ${param(c, "config")}.`);
    return found;
  };
  const put = async (c: Context, configOf: (state: State) => Omit<Hyperdrive, "modifiedOn">) => {
    const kept = await account.change((draft) => {
      const config = configOf(draft.state);
      vacant(draft.state, config);
      return draft.put("hyperdrives", { ...config, modifiedOn: now() });
    });
    return ok(c, shown(kept));
  };
  return new Hono()
    .get("/", (c) => paged(c, [...account.state.hyperdrives.values()], shown))
    .post("/", async (c) => {
      const record = recordOf(await json(c));
      return put(c, () => ({ id: newTag(), createdOn: now(), ...record }));
    })
    .get("/:config", (c) => ok(c, shown(one(c))))
    .put("/:config", async (c) => {
      const record = recordOf(await json(c));
      return put(c, (state) => {
        const { id, createdOn } = one(c, state);
        return { id, createdOn, ...record };
      });
    })
    .patch("/:config", async (c) => {
      const { origin: address, ...sent } = await body(c, Edit);
      return put(c, (state) => {
        const { id, createdOn, name, origin, caching, connectionLimit } = one(c, state);
        const limit = connectionLimit === undefined ? {} : { origin_connection_limit: connectionLimit };
        return {
          id,
          createdOn,
          ...recordOf({ name, caching, ...limit, ...sent, origin: { ...origin, ...address } }),
        };
      });
    })
    .delete("/:config", async (c) => {
      await account.change((draft) => draft.delete("hyperdrives", one(c, draft.state).id));
      return ok(c, null);
    });
};

/** @throws ApiError 10021 for a mistake, or 501 for a database that only Cloudflare's network reaches. */
function recordOf(sent: unknown): Omit<Hyperdrive, "id" | "createdOn" | "modifiedOn"> {
  if (v.is(Elsewhere, sent))
    throw new ApiError(
      501,
      10021,
      "origin: the local account does not reach databases behind an Access tunnel or in a VPC. Give a host and a port.",
    );
  const { name, origin, caching, origin_connection_limit: limit } = parse(Config, sent);
  return {
    name,
    origin: { ...origin, port: origin.port ?? (origin.scheme === "mysql" ? 3_306 : 5_432) },
    caching: caching ?? { disabled: false },
    ...(limit !== undefined && { connectionLimit: limit }),
  };
}

function vacant(state: State, { id, name }: Pick<Hyperdrive, "id" | "name">): void {
  if ([...state.hyperdrives.values()].some((other) => other.name === name && other.id !== id))
    throw new ApiError(409, 2017, `A Hyperdrive configuration with the name '${name}' already exists.`);
}

/** Without the password. */
const shown = ({ id, name, origin, caching, connectionLimit, createdOn, modifiedOn }: Hyperdrive) => {
  const { password: _, ...address } = origin;
  return {
    id,
    name,
    origin: address,
    caching,
    ...(connectionLimit !== undefined && { origin_connection_limit: connectionLimit }),
    created_on: createdOn,
    modified_on: modifiedOn,
  };
};
