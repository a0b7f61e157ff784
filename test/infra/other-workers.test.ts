/** In tests another Worker answers 503, whichever way wrangler.jsonc leads to it: without one the runtime does not start. */
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { expect, it, onTestFinished } from "vitest";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";
import { otherWorkers } from "../other-workers.ts";

it("stands in for services, their entrypoints and classes of other Workers", async () => {
  const workers = otherWorkers({
    ...readWorkerConfig(),
    services: [
      { binding: "AUTH", service: "auth" },
      { binding: "ADMIN", service: "auth", entrypoint: "Admin" },
    ],
    durable_objects: { bindings: [{ name: "SEAT", class_name: "Seat", script_name: "auth" }] },
  });
  const code = `export default { async fetch(_, env) {
    const all = [env.AUTH, env.ADMIN, env.SEAT.getByName("a")].map((one) => one.fetch("http://other/"));
    return Response.json((await Promise.all(all)).map(({ status }) => status));
  } };`;
  const own = {
    name: "own",
    modules: true,
    compatibilityDate: "2026-11-01",
    script: code,
    serviceBindings: { AUTH: "auth", ADMIN: { name: "auth", entrypoint: "Admin" } },
    durableObjects: { SEAT: { className: "Seat", scriptName: "auth", useSQLite: true } },
  };
  const runtime = new Miniflare(convertV4MiniflareOptions({ workers: [own, ...workers] }));
  onTestFinished(() => runtime.dispose());
  expect(await (await runtime.dispatchFetch("http://own/")).json()).toEqual([503, 503, 503]);
});
