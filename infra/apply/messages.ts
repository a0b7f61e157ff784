/** What an apply and the process that runs the program say to each other. */
import type { Connection } from "../provider/api.ts";
import type { Step } from "./steps.ts";

/** To the program's process: begin. */
export interface Order {
  /** The folder of the state and the lock. */
  readonly dir: string;
  readonly accountId: string;
  readonly connection: Connection;
  readonly project: string;
  readonly stack: string;
  /** The program's main folder. */
  readonly folder: string;
  readonly config: Readonly<Record<string, string>>;
  readonly secretKeys: readonly string[];
}

/** From the program's process, `ready` first and then `ended` or `failed` last. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "step"; readonly step: Step }
  | { readonly kind: "ended"; readonly outputs: Readonly<Record<string, unknown>> }
  | { readonly kind: "failed"; readonly message: string };
