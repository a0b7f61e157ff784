/**
 * The Worker under measurement. A POST runs a subject on a side for a while, and answers with the number of operations.
 * The load comes from inside workerd, so that it measures the objects and not HTTP. A GET, for measures with clients
 * outside the Worker, goes to the pattern whose folder is the path.
 */
import type { Side } from "../measure.ts";
import type { Subjects } from "./load.ts";

interface Run {
  readonly subject: string;
  readonly side: Side;
  readonly concurrency: number;
  readonly ms: number;
}

/** The exports of a pattern's test/<pattern>/worker/bench.ts. */
export interface Bench<Bindings> {
  readonly subjects: Subjects<Bindings>;
  /** Answers a client from outside. */
  readonly visit?: (request: Request, env: Bindings) => Promise<Response>;
}

export function serve<Bindings>(benches: Readonly<Record<string, Bench<Bindings>>>): ExportedHandler<Bindings> {
  const subjects: Subjects<Bindings> = Object.assign({}, ...Object.values(benches).map((bench) => bench.subjects));
  return {
    async fetch(request, env) {
      const folder = new URL(request.url).pathname.slice(1);
      const visit = benches[folder]?.visit;
      if (visit) return visit(request, env);
      const { subject, side, ...run } = await request.json<Run>();
      const load = await subjects[subject]?.(env, side);
      return load ? Response.json(await load(run)) : new Response(`There is no subject ${subject}`, { status: 404 });
    },
  };
}
