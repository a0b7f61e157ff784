/** Cloudflare's envelope, which wraps every answer of the REST API. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

interface ResultInfo {
  readonly page?: number;
  readonly per_page?: number;
  readonly count: number;
  readonly total_count?: number;
  readonly total_pages?: number;
  readonly cursor?: string;
}

const NONE = { errors: [], messages: [] };

/** A successful answer with its result. */
export const ok = (c: Context, result: unknown, info?: ResultInfo, status: 200 | 201 | 202 = 200) =>
  c.json({ success: true, ...NONE, result, ...(info !== undefined && { result_info: info }) }, status);

interface Failure {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly object[] | undefined;
}

/** A refusal with Cloudflare's code. `details` are those of an `exports` reconciliation. */
export const failure = (c: Context, status: number, { code, message, details }: Failure): Response =>
  c.json(
    {
      success: false,
      errors: [{ code, message, ...(details !== undefined && { meta: { details } }) }],
      messages: [],
      result: null,
    },
    statusOf(status),
  );

/** One page of a list, by `page` and `per_page` of the query. */
export function paged<T>(c: Context, all: readonly T[], show: (item: T) => unknown = (item) => item): Response {
  const { items, info } = pageOf(c, all);
  return ok(c, items.map(show), info);
}

/** The items of one page, and what the answer says about it. `size` is that of a page if the query has none. */
export function pageOf<T>(c: Context, all: readonly T[], size = 50): { items: readonly T[]; info: ResultInfo } {
  const page = countIn(c, "page", 1, Number.MAX_SAFE_INTEGER);
  const perPage = countIn(c, "per_page", size);
  const items = all.slice((page - 1) * perPage, page * perPage);
  const info = {
    page,
    per_page: perPage,
    count: items.length,
    total_count: all.length,
    total_pages: Math.max(1, Math.ceil(all.length / perPage)),
  };
  return { items, info };
}

/** A whole number of the query, from 1 to `most`; `usual` where it has none, or no such number. */
export function countIn(c: Context, name: string, usual: number, most = Math.max(usual, 1_000)): number {
  const value = Number(c.req.query(name) ?? usual);
  return Number.isInteger(value) && value >= 1 ? Math.min(value, most) : usual;
}

/** Any status that may have a body, for Hono's types. */
function statusOf(status: number): ContentfulStatusCode {
  const known = [400, 401, 403, 404, 405, 409, 412, 413, 415, 429, 500, 501, 503, 504] as const;
  return known.find((candidate) => candidate === status) ?? 500;
}
