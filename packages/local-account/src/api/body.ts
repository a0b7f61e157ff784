/** Reads request bodies. A refusal names the field that is wrong. */
import type { Context } from "hono";
import type * as v from "valibot";
import { invalid, messageOf } from "../errors.ts";
import { parse } from "../parse.ts";

/** The JSON body, checked by the schema. @throws ApiError 10021 with the path of the first mistake. */
export async function body<Schema extends v.GenericSchema>(c: Context, schema: Schema): Promise<v.InferOutput<Schema>> {
  return parse(schema, await json(c));
}

/** The JSON body, unchecked. An empty body is an empty object. */
export async function json(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`the body is not JSON: ${messageOf(cause)}`);
  }
}

/** A parameter of the route's path. */
export function param(c: Context, name: string): string {
  const value: unknown = c.req.param(name);
  if (typeof value !== "string") throw new Error(`the route has no :${name}`);
  return value;
}
