/** Checks a client's input against a schema, and refuses mistakes. */
import * as v from "valibot";
import { invalid } from "./errors.ts";
import { CHECKED, issueLine } from "./issues.ts";

/** Whether a text is base64. valibot's own check overflows the stack on some megabytes. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/** Parses a body of the given schema. @throws ApiError 10021 with the path of the first mistake. */
export function parse<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, CHECKED);
  if (result.success) return result.output;
  throw invalid(issueLine(result.issues[0]));
}
