/** Checks a client's input against a schema, and refuses mistakes. */
import * as v from "valibot";
import { invalid } from "./errors.ts";

/** Parses a body of the given schema. @throws ApiError 10021 with the path of the first mistake. */
export function parse<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw invalid(`${v.getDotPath(issue) ?? "body"}: ${issue.message}`);
}
