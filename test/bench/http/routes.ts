/** The routes that `npm run bench:http` measures: test/<pattern>/bench.ts names its own. */
import type { PatternBench, Route } from "../measure.ts";

const HEALTH: Route = { title: "GET /health", method: "GET", path: "/health" };

export function routesOf(all: ReadonlyMap<string, PatternBench>): readonly Route[] {
  return [HEALTH, ...[...all.values()].flatMap(({ routes = [] }) => routes)];
}

/** As long as a stack wants it. */
export const ADMIN_TOKEN = "bench-admin-token-of-some-length";

/** The admin of the bench: whoever a request says nothing else about. */
export const ADMIN = { Authorization: `Bearer ${ADMIN_TOKEN}` };

/** Sends JSON with the admin token, for `prepare`. @throws Error if the answer is no success */
export async function post(url: string, path: string, json: object): Promise<unknown> {
  const headers = { "Content-Type": "application/json", ...ADMIN };
  const answer = await fetch(new URL(path, url), { method: "POST", headers, body: JSON.stringify(json) });
  if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}
