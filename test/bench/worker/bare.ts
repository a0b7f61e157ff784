/**
 * The bare Worker that `npm run bench:http` measures ours against: Hono and the same objects, and nothing else. No rate
 * limiter, no validation, no log, no headers, no access rules.
 */
import { Hono } from "hono";

/** Adds a pattern's routes: test/<pattern>/worker/bare.ts exports it as `bare`. */
export type Bare<Bindings extends object> = (app: Hono<{ Bindings: Bindings }>) => void;

export function bareOf<Bindings extends object>(patterns: readonly Bare<Bindings>[]): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();
  app.get("/health", (c) =>
    c.json({ status: "ok", version: "bench", digest: "bench", migration: "bench", region: "eu" }),
  );
  for (const add of patterns) add(app);
  return app;
}
