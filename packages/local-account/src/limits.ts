/** Limits of uploads, from Cloudflare's page "Limits" of Workers (paid plan). */
import { gzipSync } from "node:zlib";
import { ApiError, invalid } from "./errors.ts";
import type { Binding } from "./model.ts";

const KIB = 1_024;
const MIB = KIB * KIB;
/** The most bytes of all modules, compressed. */
const MAX_SCRIPT = 10 * MIB;
/** The most bytes of a variable or secret. */
const MAX_VALUE = 5 * KIB;

/** Refuses a script that is too large (10027). */
export function checkSize(modules: readonly { readonly contents: Uint8Array }[]): void {
  const bytes = modules.reduce((sum, { contents }) => sum + contents.byteLength, 0);
  // What is small without compression need not be compressed to be measured.
  if (bytes <= MAX_SCRIPT) return;
  const compressed = modules.reduce((sum, { contents }) => sum + gzipSync(contents).byteLength, 0);
  if (compressed > MAX_SCRIPT) {
    const size = (compressed / MIB).toFixed(1);
    throw new ApiError(413, 10027, `Your Worker exceeded the size limit of 10 MiB: it has ${size} MiB compressed.`);
  }
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
