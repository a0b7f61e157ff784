/** What stands in a test for the Workers that wrangler.jsonc leads to: they are not of this project. */
import { readWorkerConfig } from "../infra/release/worker-config.ts";

/** A Worker in the place of each, with the entrypoints and classes that are bound. It answers 503. */
export function otherWorkers({ compatibility_date, services, durable_objects } = readWorkerConfig()) {
  const bound = [
    ...services.map(({ service, entrypoint }) => ({ name: service, exported: entrypoint, kind: "WorkerEntrypoint" })),
    ...durable_objects.bindings.flatMap(({ script_name: name, class_name: exported }) =>
      name === undefined ? [] : [{ name, exported, kind: "DurableObject" }],
    ),
  ];
  return [...Map.groupBy(bound, ({ name }) => name)].map(([name, all]) => ({
    name,
    modules: true as const,
    compatibilityDate: compatibility_date,
    durableObjects: Object.fromEntries(
      all.flatMap(({ exported, kind }) =>
        kind === "DurableObject" && exported !== undefined
          ? [[exported, { className: exported, useSQLite: true }]]
          : [],
      ),
    ),
    script: [
      'import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";',
      `const answer = () => new Response("${name} is another Worker: a test stands in for it", { status: 503 });`,
      "export default { fetch: answer };",
      ...new Set(all.flatMap(({ exported, kind }) => (isNamed(exported) ? exportOf(exported, kind) : []))),
    ].join("\n"),
  }));
}

const isNamed = (exported: string | undefined): exported is string => exported !== undefined && exported !== "default";
const exportOf = (exported: string, kind: string) =>
  `export class ${exported} extends ${kind} { fetch() { return answer(); } }`;
