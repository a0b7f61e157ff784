/** Reads forms (multipart/form-data). A refusal says what is wrong with them. */
import type { Context } from "hono";
import { invalid, messageOf } from "../errors.ts";
import { formIn } from "../parse.ts";

/** The bytes of a part of a form, as they were sent. Undefined if there is no such part. */
export type Parts = (name: string) => Promise<Buffer<ArrayBuffer> | undefined>;

export const isForm = (c: Context): boolean =>
  c.req.header("content-type")?.toLowerCase().startsWith("multipart/form-data") ?? false;

/**
 * The parts of a form. A parser takes a part without a file name for text, and replaces what is no UTF-8 in it. So it
 * gets every byte as a character of its own, and they are made bytes again. @throws ApiError 10021 if it is no form.
 */
export async function formOf(c: Context): Promise<Parts> {
  const bytes = Buffer.from(await c.req.arrayBuffer());
  const headers = { "content-type": c.req.header("content-type") ?? "" };
  const form = await formIn(new Response(bytes.toString("latin1"), { headers }));
  return async (name) => {
    const part = form.get(name);
    return part === null ? undefined : Buffer.from(typeof part === "string" ? part : await part.text(), "latin1");
  };
}

/** JSON in a part. @throws ApiError 10021 with the part's name. */
export function jsonOf(part: Buffer, name: string): unknown {
  try {
    return JSON.parse(part.toString());
  } catch (cause) {
    throw invalid(`${name}: must be JSON: ${messageOf(cause)}`);
  }
}
