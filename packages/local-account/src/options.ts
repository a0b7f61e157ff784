/** The options of an account. */
import type { Fault } from "./faults.ts";

/** The account's plan. "free" has only namespaces with SQLite, and lower limits (limits.ts, assets/manifest.ts). */
export type Plan = "free" | "paid";

/** The options that `npm start` and `npm run account` share. */
export interface Options {
  readonly port: number;
  readonly apiPort: number;
  readonly dir: string;
  readonly fresh: boolean;
  readonly json: boolean;
  readonly plan: Plan;
  /** Whether cron triggers fire by themselves. */
  readonly crons: boolean;
  /** Whether a Worker that computes too long without a pause is ended. */
  readonly cpuLimit: boolean;
  /** Whether Workers have addresses of their own, for load tests. */
  readonly direct: boolean;
  readonly faults: readonly Fault[];
  /** The Worker that answers on `http://127.0.0.1:<port>/`. */
  readonly defaultWorker: string;
}
