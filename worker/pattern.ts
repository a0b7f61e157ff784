/** The facts of a pattern. Data only, because infra/ and the tools read them without a Workers runtime. */
import type * as v from "valibot";
import type { SchemaSteps } from "./objects/steps.ts";
import type { Action } from "./who.ts";

export interface PatternFacts {
  /** Its folder under worker/ and under test/. */
  readonly folder: string;
  /** The middle part of every object's name. If you change it, the existing objects become unreachable. */
  readonly name: string;
  /** The Worker's binding to the class (wrangler.jsonc). */
  readonly binding: string;
  /** The Durable Object class, which worker/index.ts exports. */
  readonly class: string;
  /** Where its routes are mounted. */
  readonly path: `/${string}`;
  /** The steps of its tables. Without it the pattern has no SQL tables. */
  readonly schema?: SchemaSteps;
  /** The actions that callers may do, each with the rule that ships (worker/access.ts). Every route names one. */
  readonly actions: Readonly<Record<string, Action>>;
  /** The limit in front of its routes. Without it they have none. */
  readonly limit?: Limit;
  /** The pattern's settings, by their key in a stack's file. */
  readonly settings: v.ObjectEntries;
  /** The settings whose keys are ids, as `counter.shards`: each must be in a region of the stack. */
  readonly idsIn?: readonly string[];
  /** The folders of patterns whose code this one uses. They cannot be removed before it. */
  readonly needs?: readonly string[];
}

export interface Limit {
  /** The name of a policy in the stack's `rateLimits`. If the stack has no such policy, `default` applies. */
  readonly policy: string;
  /** Whether requests pass while the limiter cannot answer. */
  readonly onUnavailable: "allow" | "deny";
}

/** Keeps the literal types of a pattern's facts. */
export const pattern = <const Facts extends PatternFacts>(
  facts: Facts,
): Facts & Pick<PatternFacts, "limit" | "needs" | "schema"> => facts;
