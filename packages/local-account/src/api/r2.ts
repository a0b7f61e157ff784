/** `/accounts/:account/r2/buckets`: buckets and the objects in them. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { bucketKey, isJurisdiction, JURISDICTIONS } from "../bindings.ts";
import { now } from "../clock.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Bucket } from "../model.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { pageOfBuckets } from "./r2-pages.ts";

const STORAGE_CLASSES = ["Standard", "InfrequentAccess"] as const;

const NewBucket = v.looseObject({
  name: v.pipe(
    v.string(),
    v.regex(
      /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
      "must be 3 to 63 lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
  ),
  locationHint: v.optional(v.nullable(v.string())),
  storageClass: v.optional(v.nullable(v.picklist(STORAGE_CLASSES))),
});

const Edit = v.looseObject({ storageClass: v.optional(v.string()) });

/** The jurisdiction of a call's buckets. @throws ApiError 10021 if Cloudflare has no such. */
export function jurisdiction(c: Context): string {
  const name = c.req.header("cf-r2-jurisdiction") || "default";
  if (!isJurisdiction(name)) throw invalid(`cf-r2-jurisdiction: '${name}' must be one of ${JURISDICTIONS.join(", ")}.`);
  return name;
}

/** The bucket of a call. @throws ApiError 10006 */
export function bucketOf({ state }: Pick<Account, "state">, c: Context): Bucket {
  const bucket = state.buckets.get(bucketKey(param(c, "bucket"), jurisdiction(c)));
  if (bucket === undefined)
    throw new ApiError(404, 10006, `The specified bucket does not exist: ${param(c, "bucket")}`);
  return bucket;
}

export const r2 = ({ account }: Api) => {
  const one = (c: Context) => bucketOf(account, c);
  return new Hono()
    .get("/", (c) => {
      const of = jurisdiction(c);
      const { buckets, ...info } = pageOfBuckets(
        c,
        [...account.state.buckets.values()].filter((bucket) => bucket.jurisdiction === of),
      );
      return ok(c, { buckets: buckets.map(shown) }, info);
    })
    .post("/", async (c) => {
      const sent = await body(c, NewBucket);
      const id = bucketKey(sent.name, jurisdiction(c));
      const bucket = await account.change((draft) => {
        if (draft.state.buckets.has(id))
          throw new ApiError(409, 10004, "The bucket you tried to create already exists, and you own it.");
        return draft.put("buckets", {
          id,
          name: sent.name,
          jurisdiction: jurisdiction(c),
          location: (sent.locationHint ?? "weur").toUpperCase(),
          storageClass: sent.storageClass ?? "Standard",
          createdOn: now(),
        });
      });
      return ok(c, shown(bucket));
    })
    .get("/:bucket", (c) => ok(c, shown(one(c))))
    .patch("/:bucket", async (c) => {
      one(c);
      const storageClass = c.req.header("cf-r2-storage-class") ?? (await body(c, Edit)).storageClass;
      if (storageClass !== undefined) checkStorageClass(storageClass);
      const updated = await account.change((draft) => {
        const bucket = bucketOf(draft, c);
        return draft.put("buckets", { ...bucket, storageClass: storageClass ?? bucket.storageClass });
      });
      return ok(c, shown(updated));
    })
    .delete("/:bucket", async (c) => {
      const { buckets, calls } = account.runtime;
      await account.turn(async ({ change, reachStorage }) => {
        const { id } = one(c);
        await reachStorage();
        await buckets.alone(id, async () => {
          if (!(await calls.isEmptyBucket(id)))
            throw new ApiError(409, 10008, "The bucket you tried to delete is not empty.");
          await change((draft) => draft.delete("buckets", id));
        });
      });
      return ok(c, {});
    });
};

/** @throws ApiError 10062 if R2 has no such storage class. */
export function checkStorageClass(sent: string): void {
  if (!STORAGE_CLASSES.some((known) => known === sent))
    throw new ApiError(400, 10062, `cf-r2-storage-class: '${sent}' must be one of ${STORAGE_CLASSES.join(", ")}.`);
}

const shown = ({ name, jurisdiction, location, storageClass, createdOn }: Bucket) => ({
  name,
  jurisdiction,
  location,
  storage_class: storageClass,
  creation_date: createdOn,
});
