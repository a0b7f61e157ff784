/** The rules of a bucket: who may read it from a browser (CORS), and when its objects expire (lifecycle). Pure. */
import type { Bucket, LifecycleRule } from "./model.ts";

/** Cloudflare gives it to every new bucket. */
export const DEFAULT_LIFECYCLE: readonly LifecycleRule[] = [
  {
    id: "Default Multipart Abort Rule",
    enabled: true,
    conditions: { prefix: "" },
    abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 604_800 } },
  },
];

/** A request as its CORS headers describe it. */
export interface CrossOrigin {
  readonly origin: string;
  readonly method: string;
  /** The headers that the browser asks for, in a preflight. */
  readonly headers: readonly string[];
}

/** The CORS headers of an answer, or undefined if no rule allows the request. */
export function corsHeaders(
  { cors = [] }: Pick<Bucket, "cors">,
  { origin, method, headers }: CrossOrigin,
): Record<string, string> | undefined {
  const rule = cors.find(
    ({ allowed }) =>
      allowed.methods.includes(method) &&
      allowed.origins.some((pattern) => fits(pattern, origin)) &&
      headers.every((header) => (allowed.headers ?? []).some((pattern) => fits(pattern, header))),
  );
  if (rule === undefined) return undefined;
  const { allowed, exposeHeaders = [], maxAgeSeconds } = rule;
  return {
    "access-control-allow-origin": allowed.origins.includes("*") ? "*" : origin,
    "access-control-allow-methods": allowed.methods.join(", "),
    ...(headers.length > 0 && { "access-control-allow-headers": headers.join(", ") }),
    ...(exposeHeaders.length > 0 && { "access-control-expose-headers": exposeHeaders.join(", ") }),
    ...(maxAgeSeconds !== undefined && { "access-control-max-age": String(maxAgeSeconds) }),
    vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
  };
}

/** Whether a text fits a pattern with at most one `*`, in any case. */
function fits(pattern: string, text: string): boolean {
  const [before = "", after] = pattern.toLowerCase().split("*");
  const lower = text.toLowerCase();
  if (after === undefined) return lower === before;
  return lower.length >= before.length + after.length && lower.startsWith(before) && lower.endsWith(after);
}

/** Whether a rule says that the object is to be deleted. `at`: milliseconds since 1970. */
export const isExpired = (
  { lifecycle = [] }: Pick<Bucket, "lifecycle">,
  object: { readonly key: string; readonly uploaded: Date },
  at: number,
): boolean =>
  lifecycle.some(({ enabled, conditions, deleteObjectsTransition }) => {
    const condition = deleteObjectsTransition?.condition;
    if (!enabled || condition === undefined || !object.key.startsWith(conditions.prefix)) return false;
    return condition.type === "Age"
      ? object.uploaded.getTime() + 1_000 * condition.maxAge <= at
      : Date.parse(condition.date) <= at;
  });

/** Whether objects of the bucket can expire at all. */
export const canExpire = ({ lifecycle = [] }: Bucket): boolean =>
  lifecycle.some(({ enabled, deleteObjectsTransition }) => enabled && deleteObjectsTransition?.condition !== undefined);
