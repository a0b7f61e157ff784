/** `/accounts/:account/workers/scripts/:script/secrets`: each change makes a new version and deploys it at once. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { isSecret, parseBindings } from "../bindings.ts";
import { ApiError } from "../errors.ts";
import type { Binding, State, Version } from "../model.ts";
import { deriveVersion, latestVersion } from "../versions.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { sourceOf } from "./deployments.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

const Secret = v.looseObject({ name: v.pipe(v.string(), v.nonEmpty()), type: v.optional(v.string(), "secret_text") });
const Bulk = v.object({ secrets: v.record(v.string(), v.nullable(Secret)) });

export const secrets = ({ account }: Api) => {
  const secretsOf = (c: Context) => secretsIn(account.state, param(c, "script"));
  return new Hono()
    .get("/", (c) => ok(c, secretsOf(c).map(shown)))
    .put("/", async (c) => {
      const [secret] = parseBindings([await body(c, Secret)]);
      if (secret === undefined) throw new Error("a secret was parsed to nothing");
      await change(account, c, { put: [secret], remove: [] });
      return ok(c, shown(secret));
    })
    .get("/:secret", (c) => {
      const secret = secretsOf(c).find(({ name }) => name === param(c, "secret"));
      if (secret === undefined) throw missing(param(c, "secret"));
      return ok(c, shown(secret));
    })
    .delete("/:secret", async (c) => {
      const name = param(c, "secret");
      const check = (state: State) => {
        if (!secretsIn(state, param(c, "script")).some((secret) => secret.name === name)) throw missing(name);
      };
      await change(account, c, { put: [], remove: [name], check });
      return ok(c, null);
    });
};

/** `PATCH …/secrets-bulk`: several at once; null removes one. */
export const secretsBulk = (api: Api) =>
  new Hono().patch("/", async (c) => {
    const { secrets: sent } = await body(c, Bulk);
    const put = parseBindings(
      Object.entries(sent).flatMap(([name, secret]) => (secret === null ? [] : [{ ...secret, name }])),
    );
    const version = await change(api.account, c, { put, remove: Object.keys(sent) });
    return ok(c, Object.fromEntries(version.bindings.filter(isSecret).map((secret) => [secret.name, shown(secret)])));
  });

/** The secrets of a Worker's newest version. */
const secretsIn = (state: State, name: string): Binding[] =>
  latestVersion(state, scriptAt(state, name).id)?.bindings.filter(isSecret) ?? [];

interface Edit {
  readonly put: readonly Binding[];
  readonly remove: readonly string[];
  /** May refuse it. */
  readonly check?: (state: State) => void;
}

/** Makes and deploys a version with some secrets set and others removed. */
const change = (account: Account, c: Context, { put, remove, check }: Edit): Promise<Version> =>
  account.change((draft) => {
    check?.(draft.state);
    const gone = new Set([...remove, ...put.map(({ name }) => name)]);
    return deriveVersion(
      draft,
      scriptAt(draft.state, param(c, "script")).id,
      ({ bindings }) => {
        const taken = bindings.find((binding) => gone.has(binding.name) && !isSecret(binding));
        if (taken !== undefined)
          throw new ApiError(400, 10053, `Binding name '${taken.name}' is in use by a binding of type ${taken.type}.`);
        return { bindings: [...bindings.filter(({ name }) => !gone.has(name)), ...put] };
      },
      {
        deploy: true,
        plan: account.plan,
        source: sourceOf(c),
        annotations: { "workers/triggered_by": "secret" },
      },
    );
  });

const missing = (name: string) => new ApiError(404, 10056, `There is no secret '${name}'.`);
const shown = ({ name, type }: Binding) => ({ name, type });
