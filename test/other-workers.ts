/** What stands in a test for the Workers that wrangler.jsonc leads to: they are not of this project. */
import { standInModule } from "../infra/rehearsal/stand-in-module.ts";
import { readWorkerConfig } from "../infra/release/worker-config.ts";

/** A Worker in the place of each, with the entrypoints and classes that are bound. It answers 503. */
export function otherWorkers({ compatibility_date, services, durable_objects } = readWorkerConfig()) {
  const bound = [
    ...services.map(({ service: name, entrypoint }) => ({
      name,
      entrypoints: entrypoint === undefined ? [] : [entrypoint],
      classes: [],
    })),
    ...durable_objects.bindings.flatMap(({ script_name: name, class_name }) =>
      name === undefined ? [] : [{ name, entrypoints: [], classes: [class_name] }],
    ),
  ];
  return [...Map.groupBy(bound, ({ name }) => name)].map(([name, all]) => {
    const entrypoints = new Set(all.flatMap((one) => one.entrypoints));
    const classes = new Set(all.flatMap((one) => one.classes));
    return {
      name,
      modules: true as const,
      compatibilityDate: compatibility_date,
      durableObjects: Object.fromEntries([...classes].map((className) => [className, { className, useSQLite: true }])),
      script: standInModule({ entrypoints, classes }, `${name} is another Worker: a test stands in for it`),
    };
  });
}
