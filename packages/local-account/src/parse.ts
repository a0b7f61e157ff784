/** Checks a client's input against a schema, and refuses mistakes. */
import * as v from "valibot";
import { invalid } from "./errors.ts";
import { ruleOf } from "./issues.ts";

/** Whether a text is base64. valibot's own check overflows the stack on some megabytes. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/**
 * Parses an input of the given schema. `tell` makes the sentence of `path: what is wrong there`.
 * @throws ApiError 10021 with the first mistake.
 */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  tell = (mistake: string): string => mistake,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, input, {
    abortEarly: true,
    message: (issue) => ruleOf(issue) ?? issue.message,
  });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(tell(`${v.getDotPath(issue) ?? "body"}: ${issue.message}`));
}
