/** Checks a client's input against a schema, and refuses mistakes. */
import * as v from "valibot";
import { invalid, messageOf } from "./errors.ts";
import { ruleOf } from "./issues.ts";

/** The form (multipart/form-data) in a body. @throws ApiError 10021 if it is none. */
export const formIn = (body: Request | Response): Promise<FormData> =>
  body.formData().catch((cause: unknown) => {
    throw invalid(`the body is not multipart/form-data: ${messageOf(cause)}`);
  });

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
  // To valibot a list is an object too, whose keys are all missing.
  if (Array.isArray(input) && OBJECTS.has(schema.type)) throw invalid(tell("body: must be an object (it is a list)"));
  const result = v.safeParse(schema, input, {
    abortEarly: true,
    message: (issue) => ruleOf(issue) ?? issue.message,
  });
  if (result.success) return result.output;
  const { path, message } = mistakeOf(result.issues[0]);
  throw invalid(tell(`${path || "body"}: ${message}`));
}

/** Schemas of objects, by valibot's names. */
const OBJECTS: ReadonlySet<string> = new Set(["object", "loose_object", "strict_object"]);

interface Mistake {
  /** Empty if the input as a whole is wrong. */
  readonly path: string;
  readonly message: string;
}

/** What to tell of an issue. If an input fits none of several forms, that is the mistake in the one that it resembles. */
function mistakeOf(issue: v.BaseIssue<unknown>): Mistake {
  const path = v.getDotPath(issue) ?? "";
  const within = (issue.issues ?? []).filter((option) => v.getDotPath(option) !== null);
  // A field that is there and wrong says more of the form that was meant than one that is missing.
  const closest = within.find(({ received }) => received !== "undefined") ?? within[0];
  if (closest === undefined) return { path, message: issue.message };
  const mistake = mistakeOf(closest);
  return { path: path === "" ? mistake.path : `${path}.${mistake.path}`, message: mistake.message };
}
