/** The lifecycle of Durable Object classes: a history as code, and the plan from the live classes to its end. */
export * from "./exports-map.ts";
export * from "./findings.ts";
export * from "./history.ts";
export * from "./import.ts";
export * from "./lint.ts";
export * from "./lock.ts";
export * from "./moves.ts";
export * from "./plan.ts";
export * from "./replay.ts";
export * from "./situation.ts";
export type { State } from "./standing.ts";
