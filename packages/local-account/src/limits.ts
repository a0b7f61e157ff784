/** Limits of uploads and cron triggers, from Cloudflare's page "Limits" of Workers. */
import { ApiError } from "./errors.ts";
import type { Binding } from "./model.ts";
import type { Plan } from "./options.ts";

const KIB = 1_024;
const MIB = KIB * KIB;
/** The most bytes of all modules, as they are, on every plan since September 2026. Source maps do not count. */
export const MAX_SCRIPT = 64 * MIB;
/** How many of a Worker's newest versions can be deployed (changelog of 2025-09-11). */
export const DEPLOYABLE = 100;
/** The most bytes of a variable or secret. */
const MAX_VALUE = 5 * KIB;
/** The most variables and secrets of a Worker. */
const MOST_VARIABLES: Readonly<Record<Plan, number>> = { free: 64, paid: 128 };
/** The most cron triggers of an account. */
const MOST_CRONS: Readonly<Record<Plan, number>> = { free: 5, paid: 250 };

const VARIABLES: ReadonlySet<string> = new Set(["plain_text", "json", "secret_text"]);

/** Refuses a script whose modules are too large (10027). */
export function checkSize(modules: readonly { readonly contents: Uint8Array }[]): void {
  const bytes = modules.reduce((sum, { contents }) => sum + contents.byteLength, 0);
  if (bytes <= MAX_SCRIPT) return;
  const [size, most] = [(bytes / MIB).toFixed(1), MAX_SCRIPT / MIB];
  throw new ApiError(413, 10027, `Your Worker exceeded the size limit of ${most} MiB: its modules have ${size} MiB.`);
}

/** Refuses a variable or secret that is too long (10054). */
export function checkValue({ name, type, ...binding }: Binding): void {
  const value = type === "json" ? JSON.stringify(binding.json) : binding.text;
  if (typeof value !== "string") return;
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_VALUE) {
    const message = `binding ${name} of type ${type}: it has ${bytes} bytes; at most ${MAX_VALUE} are allowed.`;
    throw new ApiError(400, 10054, message);
  }
}

/**
 * Refuses a version with too many variables and secrets (10055). `bindings`: all that it has, also those that it keeps.
 * `before`: those of the version that it is made from: one that was made on another plan comes down step by step.
 */
export function checkVariables(bindings: readonly Binding[], plan: Plan, before: readonly Binding[] = []): void {
  const [count, had] = [variablesIn(bindings), variablesIn(before)];
  const most = MOST_VARIABLES[plan];
  if (count <= Math.max(most, had)) return;
  throw new ApiError(
    400,
    10055,
    `bindings: there are ${count} variables and secrets; a Worker has at most ${most} on the plan '${plan}'.`,
  );
}

const variablesIn = (bindings: readonly Binding[]): number => bindings.filter(({ type }) => VARIABLES.has(type)).length;

/** Refuses more cron triggers than an account may have (10072). `before`: how many it has, `after`: how many it would. */
export function checkCrons(before: number, after: number, plan: Plan): void {
  const most = MOST_CRONS[plan];
  // An account that was on another plan comes down step by step.
  if (after <= most || after <= before) return;
  throw new ApiError(
    400,
    10072,
    `schedules: the account would have ${after} cron triggers; it has at most ${most} on the plan '${plan}', over all its Workers.`,
  );
}
