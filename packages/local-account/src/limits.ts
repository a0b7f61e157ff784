/** Limits of uploads, from Cloudflare's page "Limits" of Workers. */
import { ApiError, invalid } from "./errors.ts";
import type { Binding } from "./model.ts";

const KIB = 1_024;
const MIB = KIB * KIB;
/** The most bytes of all modules, as they are, on every plan since September 2026. Source maps do not count. */
export const MAX_SCRIPT = 64 * MIB;
/** The most bytes of a variable or secret. */
const MAX_VALUE = 5 * KIB;

/** Refuses a script whose modules are too large (10027). */
export function checkSize(modules: readonly { readonly contents: Uint8Array }[]): void {
  const bytes = modules.reduce((sum, { contents }) => sum + contents.byteLength, 0);
  if (bytes <= MAX_SCRIPT) return;
  const [size, most] = [(bytes / MIB).toFixed(1), MAX_SCRIPT / MIB];
  throw new ApiError(413, 10027, `Your Worker exceeded the size limit of ${most} MiB: its modules have ${size} MiB.`);
}

/** Refuses a variable or secret that is too long. */
export function checkValue({ name, type, ...binding }: Binding): void {
  const value = type === "json" ? JSON.stringify(binding.json) : binding.text;
  if (typeof value !== "string") return;
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_VALUE) {
    throw invalid(`binding ${name} of type ${type}: it has ${bytes} bytes; at most ${MAX_VALUE} are allowed.`);
  }
}
