/** What workerd gets for `npm run bench:http`. */
import { readWorkerConfig } from "../../../infra/release/worker-config.ts";
import { patterns } from "../../../worker/patterns.ts";
import { STACK } from "../runtime.ts";
import { ADMIN_TOKEN } from "./routes.ts";

/** So much that the limiter allows all. Nothing else differs from a stack of the template. */
export const SETTINGS = {
  environment: "bench",
  access: "rules",
  demoLogin: true,
  rateLimits: Object.fromEntries(
    ["default", "create", "limit"].map((name) => [name, { capacity: 1_000_000, periodSeconds: 60 }]),
  ),
};

/** In the place of KV and R2: it takes what is written, and has nothing to read. */
export const EMPTY = `export default { async fetch(request) {
  if (request.method !== "PUT") return new Response(null, { status: 404 });
  await request.arrayBuffer();
  const object = { name: "k", version: "v", size: "0", etag: "e", uploaded: "0", httpFields: {}, customFields: [] };
  return Response.json(object);
} };`;

/**
 * The configuration of workerd (its workerd.capnp): a socket for each Worker, whose module is `<name>.js`, with the
 * project's classes and bindings.
 */
export function config(names: readonly string[]): string {
  const date = readWorkerConfig().compatibility_date;
  const text = JSON.stringify;
  const json = Object.entries({ ...STACK, SETTINGS, VERSION: { id: "bench", tag: "", timestamp: "" } }).map(
    ([name, value]) => `(name = ${text(name)}, json = ${text(text(value))})`,
  );
  const own = patterns.map(
    ({ binding, class: name }) => `(name = ${text(binding)}, durableObjectNamespace = ${text(name)})`,
  );
  const namespaces = (worker: string) =>
    patterns.map(
      ({ class: name }) => `(className = ${text(name)}, uniqueKey = ${text(`${worker}-${name}`)}, enableSql = true)`,
    );
  const bindings = [
    ...json,
    ...own,
    '(name = "READS", kvNamespace = "empty")',
    '(name = "BLOBS", r2Bucket = "empty")',
    `(name = "ADMIN_TOKEN", text = ${text(ADMIN_TOKEN)})`,
  ].join(", ");
  const objectsOf = (name: string) => `bindings = [${bindings}],
      durableObjectNamespaces = [${namespaces(name).join(", ")}],
      durableObjectStorage = (localDisk = "${name}-storage")`;
  const services = names.map(
    (name) => `(name = "${name}", worker = (
      modules = [(name = "index.js", esModule = embed "${name}.js")],
      ${objectsOf(name)},
      compatibilityDate = "${date}")),
    (name = "${name}-storage", disk = (path = "storage/${name}", writable = true))`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(",\n    ")},
    (name = "empty", worker = (
      modules = [(name = "index.js", esModule = embed "empty.js")],
      compatibilityDate = "${date}"))
  ],
  sockets = [${names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(", ")}]
);
`;
}
