/**
 * The OpenAPI document, made from the routes themselves. Each middleware that reads or answers something describes
 * itself with `documented`, so the document and the checks cannot differ. The first `GET /openapi.json` makes it.
 */
import type { MiddlewareHandler } from "hono";
import type { BaseIssue, BaseSchema } from "valibot";
import type { Release } from "../../contract/release.ts";
import type { App } from "./context.ts";
import type { Hono } from "./hono.ts";
import { jsonSchema } from "./json-schema.ts";
import { problemTypes } from "./problem.ts";

export type Schema = BaseSchema<unknown, unknown, BaseIssue<unknown>>;

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: object;
}

/** The parts of an OpenAPI operation that a middleware may contribute. */
interface Operation {
  /** Names the function of a generated client: `postAccountLedgerTransfer`. */
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: object;
  responses?: Record<string, object>;
  security?: Record<string, string[]>[];
  "x-access"?: { action: string; rule: string };
}

const contributions = new WeakMap<object, () => Operation>();

/** Attaches to a middleware the part of the description that it adds to its routes. */
export function documented<H extends object>(middleware: H, contribution: () => Operation): H {
  contributions.set(middleware, contribution);
  return middleware;
}

/** An answer that is no JSON of a known shape. */
interface Sent {
  readonly description: string;
  /** Its media types. */
  readonly types: readonly string[];
}

/** An answer that is no JSON of a known shape, with its media types. */
export const sends = (description: string, ...types: readonly string[]): Sent => ({ description, types });

/** Says what a route does, and its good answers by status; text: one without a body. Every route has one. */
export function describe(summary: string, answers: Record<number, Schema | Sent | string>): MiddlewareHandler<App> {
  return documented(
    (_, next) => next(),
    () => ({
      summary,
      responses: Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, responseOf(summary, answer)]),
      ),
    }),
  );
}

function responseOf(summary: string, answer: Schema | Sent | string): object {
  if (typeof answer === "string") return { description: answer };
  if ("kind" in answer)
    return { description: summary, content: { "application/json": { schema: jsonSchema(answer) } } };
  const { description, types } = answer;
  return { description, content: Object.fromEntries(types.map((type) => [type, {}])) };
}

/** The names of the parameters in the path of a route. */
const pathParameters = (path: string) => [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);

/** The document of every route of an app, under its title. */
export function openApi(app: Hono, title: string, release: Release): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, handler } of app.routes) {
    if (method === "ALL") continue;
    const template = path.replace(/:(\w+)/g, "{$1}");
    const verb = method.toLowerCase();
    const operation = merge(paths[template]?.[verb] ?? blank(verb, path), contributions.get(handler)?.() ?? {});
    paths[template] = { ...paths[template], [verb]: operation };
  }
  return {
    openapi: "3.1.0",
    info: { title, version: release.digest.slice(0, 12) },
    paths,
    components: {
      securitySchemes: {
        admin: { type: "http", scheme: "bearer", description: "The stack's admin token" },
        session: {
          type: "http",
          scheme: "bearer",
          description: "A session's token, or one of the stack's issuer (JWT)",
        },
        key: { type: "apiKey", in: "header", name: "X-API-Key" },
        cookie: { type: "apiKey", in: "cookie", name: "__Host-session" },
      },
      schemas: {
        Problem: {
          type: "object",
          required: ["type", "title", "status", "detail", "error"],
          properties: {
            type: { ...TEXT, examples: problemTypes() },
            title: TEXT,
            status: WHOLE,
            detail: TEXT,
            error: TEXT,
            retryAfter: { ...WHOLE, description: "Seconds" },
            errors: { type: "array", items: { type: "object", properties: { field: TEXT, message: TEXT } } },
          },
        },
      },
    },
  };
}

const TEXT = { type: "string" };
const WHOLE = { type: "integer" };

function blank(verb: string, path: string): Operation {
  const [tag = ""] = path.split("/").filter(Boolean);
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return {
    operationId: verb + path.replace(/\W+(\w?)/g, (_, first: string) => first.toUpperCase()),
    tags: [tag.startsWith(":") || tag === "" ? "page" : tag],
    parameters: pathParameters(path).map((name) => ({
      name,
      in: "path",
      required: true,
      schema: TEXT,
    })),
    responses: {
      default: {
        description: "A problem (RFC 9457)",
        headers: { "Retry-After": { description: "Seconds; of 429 and 503", schema: WHOLE } },
        content: problem,
      },
    },
  };
}

function merge(into: Operation, more: Operation): Operation {
  const added = more.parameters ?? [];
  const kept = into.parameters?.filter(
    (old) => !added.some(({ name, in: place }) => name === old.name && place === old.in),
  );
  return {
    ...into,
    ...more,
    parameters: [...(kept ?? []), ...added],
    responses: { ...into.responses, ...more.responses },
  };
}
