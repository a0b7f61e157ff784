/** HTTP routes of the sample pattern, mounted under /sample-pattern. */
import type { Context } from "hono";
import * as v from "valibot";
import type { App } from "../http/context.ts";
import { Hono } from "../http/hono.ts";
import { may } from "../http/may.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { body, params } from "../http/validation.ts";
import { objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { samplePattern } from "./pattern.ts";

const Which = v.object({ id: v.string() });
const Content = v.object({ text: v.string(), revision: v.pipe(v.number(), v.integer(), v.minValue(0)) });

export const routes = new Hono()
  .get(
    "/:id",
    describe("The text, and how often it was set", { 200: Content }),
    may(samplePattern, "read"),
    params(Which),
    async (c) => c.json(await retry(() => objectOf(c, c.req.valid("param").id).read())),
  )
  .post(
    "/:id",
    describe("Sets the text", { 200: Content }),
    may(samplePattern, "write"),
    params(Which),
    body(v.strictObject({ text: v.string() })),
    async (c) => {
      const { text } = c.req.valid("json");
      const { maxLength } = stackOf(c.env).settings.samplePattern;
      if (text.length > maxLength) throw refusal("invalid-input", `text: must have at most ${maxLength} characters`);
      // May be repeated: the same text again changes nothing.
      return c.json(await retry(() => objectOf(c, c.req.valid("param").id).write(text)));
    },
  );

const objectOf = (c: Context<App>, id: string) => objectFor(c, samplePattern, id);
