/** `/accounts/:account/r2/buckets/:bucket/cors` and `…/lifecycle`. */
import { Hono } from "hono";
import * as v from "valibot";
import { DEFAULT_LIFECYCLE } from "../bucket-rules.ts";
import { ApiError } from "../errors.ts";
import { body } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { bucketOf } from "./r2.ts";

/** Cloudflare's limits of rules in a bucket. */
const [MOST_CORS, MOST_LIFECYCLE] = [100, 1_000];

const text = v.pipe(v.string(), v.nonEmpty());
const texts = v.array(text);
const seconds = v.pipe(v.number(), v.integer(), v.minValue(0));

const Cors = v.object({
  rules: v.pipe(
    v.array(
      v.object({
        id: v.exactOptional(text),
        allowed: v.object({
          origins: v.pipe(texts, v.nonEmpty()),
          methods: v.pipe(v.array(v.picklist(["GET", "PUT", "POST", "DELETE", "HEAD"])), v.nonEmpty()),
          headers: v.exactOptional(texts),
        }),
        exposeHeaders: v.exactOptional(texts),
        maxAgeSeconds: v.exactOptional(v.pipe(seconds, v.maxValue(86_400))),
      }),
    ),
    v.maxLength(MOST_CORS),
  ),
});

const Age = v.object({ type: v.literal("Age"), maxAge: seconds });
const Condition = v.variant("type", [
  Age,
  v.object({
    type: v.literal("Date"),
    date: v.pipe(
      text,
      v.check((date) => !Number.isNaN(Date.parse(date)), "must be a date"),
    ),
  }),
]);

const Lifecycle = v.object({
  rules: v.exactOptional(
    v.pipe(
      v.array(
        v.object({
          id: text,
          enabled: v.boolean(),
          conditions: v.optional(v.object({ prefix: v.optional(v.string(), "") }), {}),
          deleteObjectsTransition: v.exactOptional(v.object({ condition: Condition })),
          abortMultipartUploadsTransition: v.exactOptional(v.object({ condition: Age })),
          storageClassTransitions: v.exactOptional(v.array(v.unknown())),
        }),
      ),
      v.maxLength(MOST_LIFECYCLE),
    ),
    [],
  ),
});

export const r2Rules = ({ account }: Api) =>
  new Hono()
    .get("/cors", (c) => {
      const { cors } = bucketOf(account, c);
      if (cors === undefined) throw new ApiError(404, 10059, "The CORS configuration does not exist.");
      return ok(c, { rules: cors });
    })
    .put("/cors", async (c) => {
      const { rules } = await body(c, Cors);
      await account.change((draft) => draft.put("buckets", { ...bucketOf(draft, c), cors: rules }));
      return ok(c, {});
    })
    .delete("/cors", async (c) => {
      await account.change((draft) => {
        const { cors: _, ...bucket } = bucketOf(draft, c);
        return draft.put("buckets", bucket);
      });
      return ok(c, {});
    })
    .get("/lifecycle", (c) => ok(c, { rules: bucketOf(account, c).lifecycle ?? DEFAULT_LIFECYCLE }))
    .put("/lifecycle", async (c) => {
      const { rules } = await body(c, Lifecycle);
      const lifecycle = rules.map(({ storageClassTransitions = [], ...rule }) => {
        if (storageClassTransitions.length > 0)
          throw new ApiError(
            501,
            10021,
            `rules: '${rule.id}' changes the storage class of objects, which the local account cannot do. It deletes objects by age or date.`,
          );
        return rule;
      });
      await account.change((draft) => draft.put("buckets", { ...bucketOf(draft, c), lifecycle }));
      return ok(c, {});
    });
