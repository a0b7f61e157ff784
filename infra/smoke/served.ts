/** What is served, before any pattern: the release, the page and the API's description. */
import * as v from "valibot";
import type { Answer } from "./client.ts";
import { equal, holds, member, status } from "./expect.ts";
import type { Probe, Subject } from "./probe.ts";
import { tokenTaken } from "./ready.ts";
import { EVERYWHERE_MS, watched } from "./watched.ts";

/** What a Worker of ours says of itself. */
const Health = v.object({
  status: v.string(),
  environment: v.string(),
  digest: v.pipe(v.string(), v.nonEmpty()),
  migration: v.unknown(),
});

/**
 * `/health` says which release this is: the one that was asked for, where one was. Where it is to be waited for, so is
 * the admin token; whether that is taken then, the patterns' checks say. Calls `onOurs` once a Worker of ours has answered.
 */
export const release =
  (onOurs: () => void): Probe =>
  async ({ client, options }) => {
    const { adminToken, stack, digest, waitSeconds = digest === undefined ? 0 : EVERYWHERE_MS / 1_000 } = options;
    const { answer, error } = await watched(
      () =>
        client.call("/health").then(
          (answered) => ({ answer: answered, error: undefined }),
          (failure: unknown) => ({ answer: undefined, error: failure }),
        ),
      (seen, elapsedMs) => isServed(seen.answer, digest) || elapsedMs >= waitSeconds * 1_000,
    );
    if (!answer) throw error;
    const { success, output: health } = v.safeParse(Health, status("GET /health", answer, 200));
    if (!success) throw new Error("GET /health is answered 200, and not as a Worker of this project does");
    if (stack !== undefined) equal("the stack that answers", health.environment, stack);
    onOurs();
    equal("status", health.status, "ok");
    if (digest !== undefined) equal("the digest of the release", health.digest, digest);
    if (adminToken !== undefined && options.waitSeconds !== undefined) {
      await tokenTaken(client, adminToken, options.waitSeconds * 1_000);
    }
    return `${health.digest}, migration ${health.migration}, environment ${health.environment}`;
  };

/** Whether it is the answer of a release: of the one with this digest, if there is one. */
function isServed(answer: Answer | undefined, digest: string | undefined): boolean {
  const { success, output } = v.safeParse(Health, answer?.status === 200 ? answer.body : undefined);
  return success && (digest === undefined || output.digest === digest);
}

/** The page, with its script and style, and the OpenAPI document. */
export async function page({ client }: Subject): Promise<string> {
  const html = await client.call("/");
  status("GET /", html, 200);
  const policy = html.headers.get("Content-Security-Policy") ?? "";
  holds("the page's policy allows scripts of its own origin only", /script-src 'self'(;|$)/.test(policy));
  const sizes = [String(html.body).length];
  for (const [path, type] of [
    ["/page.js", "text/javascript"],
    ["/page.css", "text/css"],
  ] as const) {
    const asset = await client.call(path);
    const text = String(status(`GET ${path}`, asset, 200));
    holds(`${path} is ${type}`, asset.headers.get("Content-Type")?.startsWith(type) === true);
    sizes.push(text.length);
  }
  const api = status("GET /openapi.json", await client.call("/openapi.json"), 200);
  const routes = Object.keys(Object(member(api, "paths"))).length;
  return `${Math.round(sizes.reduce((sum, size) => sum + size) / 1024)} KiB, ${routes} paths in /openapi.json`;
}
