/** What a pattern says of itself. Data only: infra/ and the tools read it too, and they have no Workers runtime. */
import type * as v from "valibot";
import type { SchemaSteps } from "./objects/steps.ts";
import type { Action } from "./who.ts";

export interface PatternFacts {
  /** Its folder under worker/ and under test/. */
  readonly folder: string;
  /** The middle of every object's name. Never change it: the objects would not be found again. */
  readonly name: string;
  /** The Worker's binding to the class (wrangler.jsonc). */
  readonly binding: string;
  /** The Durable Object class, which worker/index.ts exports. */
  readonly class: string;
  /** Where its routes are mounted. */
  readonly path: `/${string}`;
  /** Its tables, in steps. Without it the pattern keeps no SQL. */
  readonly schema?: SchemaSteps;
  /** What may be done with it, each with the rule that ships (worker/access.ts). Every route names one of them. */
  readonly actions: Readonly<Record<string, Action>>;
  /** What the rate limiter does in front of its routes. Without it they are not limited. */
  readonly limit?: Limit;
  /** What a stack may set, by key of its file. */
  readonly settings: v.ObjectEntries;
  /** Patterns, by folder, whose code this one uses. They cannot be removed before it. */
  readonly needs?: readonly string[];
}

export interface Limit {
  /** A policy of the stack's `rateLimits`; `default` where the stack has none of that name. */
  readonly policy: string;
  /** Whether requests pass while the limiter itself cannot answer. */
  readonly onUnavailable: "allow" | "deny";
}

/** A pattern's facts, with types as narrow as they are written. */
export const pattern = <const Facts extends PatternFacts>(
  facts: Facts,
): Facts & Pick<PatternFacts, "limit" | "needs" | "schema"> => facts;
