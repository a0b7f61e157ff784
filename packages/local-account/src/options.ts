/** What an account is started with. */
import type { Fault } from "./faults.ts";

/** Which kinds of namespace the account's plan allows: "free" has SQLite only. */
export type Plan = "free" | "paid";

/** The options that `npm start` and `npm run account` share. */
export interface Options {
  readonly port: number;
  readonly apiPort: number;
  readonly dir: string;
  readonly fresh: boolean;
  readonly json: boolean;
  readonly plan: Plan;
  readonly faults: readonly Fault[];
  /** Worker of `http://127.0.0.1:<port>/`. */
  readonly defaultWorker: string;
}
