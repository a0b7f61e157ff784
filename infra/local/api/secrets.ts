/** `/accounts/:account/workers/scripts/:script/secrets`. */
import { Hono } from "hono";
import { isSecret } from "../bindings.ts";
import { latestVersion } from "../deploy.ts";
import type { Api } from "./app.ts";
import { param } from "./body.ts";
import { script } from "./deployments.ts";
import { ok } from "./envelope.ts";

export const secrets = ({ account }: Api) =>
  new Hono().get("/", (c) => {
    const version = latestVersion(account.state, script(account.state, param(c, "script")).id);
    const bindings = version?.bindings.filter(isSecret) ?? [];
    return ok(
      c,
      bindings.map(({ name, type }) => ({ name, type })),
    );
  });
