/** How many of a Worker's requests are in the logs that Workers Observability keeps, by its settings: pure. */
import * as v from "valibot";

const Reporting = { enabled: v.nullish(v.boolean()), head_sampling_rate: v.nullish(v.number()) };

/** The part of the settings that says so, as the API and wrangler.jsonc have it. */
export const Observability = v.object({
  ...Reporting,
  logs: v.nullish(v.object({ ...Reporting, persist: v.nullish(v.boolean()), invocation_logs: v.nullish(v.boolean()) })),
});
export type Observability = v.InferOutput<typeof Observability>;

/** The share of the requests that is kept, from 0 to 1, and the setting that it is because of. */
export interface Logged {
  readonly share: number;
  readonly because: string;
}

/** `logs` goes before the settings of all. */
export function logged({ enabled, head_sampling_rate: rate, logs }: Observability): Logged {
  const none = (because: string): Logged => ({ share: 0, because });
  if (logs?.enabled === false) return none("observability.logs.enabled is false");
  if (!(logs?.enabled ?? enabled)) return none("observability.enabled is not true");
  if (logs?.persist === false) return none("observability.logs.persist is false");
  if (logs?.invocation_logs === false) return none("observability.logs.invocation_logs is false");
  const [key, share] =
    logs?.head_sampling_rate == null
      ? ["head_sampling_rate", rate ?? 1]
      : ["logs.head_sampling_rate", logs.head_sampling_rate];
  return { share, because: `observability.${key} is ${share}` };
}
