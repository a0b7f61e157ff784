/** A pattern only for tests of what all routes share, so that they work with any patterns of a project. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { appWith } from "../../worker/app.ts";
import type { App } from "../../worker/http/context.ts";
import { idempotencyKey } from "../../worker/http/idempotency.ts";
import { may } from "../../worker/http/may.ts";
import { describe } from "../../worker/http/openapi.ts";
import { body, query } from "../../worker/http/validation.ts";
import { objectFor } from "../../worker/objects/names.ts";
import { retry } from "../../worker/objects/retry.ts";
import { pattern } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { type Answer, type Call, call } from "./helpers.ts";

/** Its objects are of an existing class, but none is ever called. */
const [{ binding, class: className }] = patterns;

export const sample = pattern({
  folder: "sample",
  name: "sample",
  binding,
  class: className,
  path: "/sample",
  actions: { use: { may: "anyone" }, reset: { may: "admin" } },
  settings: {},
});

const Which = v.object({ id: v.optional(v.string(), "global") });
const Found = v.object({ object: v.string() });
const Sum = v.object({ sum: v.number() });
const Step = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000));

/** The object of an id. */
const objectAt = (c: Context<App>, id: string) => ({ object: objectFor(c, sample, id).id.toString() });

/** What the route `fail` does next. */
let failure: () => Promise<never> = () => Promise.reject(new Error("no failure was set"));

const routes = new Hono<App>()
  .get("/", describe("The object of an id", { 200: Found }), may(sample, "use"), query(Which), (c) =>
    c.json(objectAt(c, c.req.valid("query").id)),
  )
  .post(
    "/",
    describe("Adds two numbers", { 200: Sum }),
    may(sample, "use"),
    query(Which),
    idempotencyKey,
    body(v.strictObject({ by: v.optional(Step, 1), more: v.optional(Step, 1) })),
    (c) => {
      const { by, more } = c.req.valid("json");
      return c.json({ sum: by + more });
    },
  )
  .post("/reset", describe("Does nothing, for the admin", { 200: Found }), may(sample, "reset"), query(Which), (c) =>
    c.json(objectAt(c, c.req.valid("query").id)),
  )
  .post("/fail", describe("Fails", { 200: Sum }), may(sample, "use"), async (c) => c.json(await retry(failure)));

/** The app with only the sample. */
export const sampleApp = appWith([sample], { routes: { sample: routes } });

/** One request to the sample app. */
export const callSample = (path: string, more: Call = {}): Promise<Answer> => call(path, { ...more, to: sampleApp });

/** One request to the sample app, whose object fails with `error`. */
export function callFailing(error: Error): Promise<Answer> {
  failure = () => Promise.reject(error);
  return callSample("/sample/fail", { method: "POST" });
}
