/** How large a release is, as Cloudflare counts it. */
import { gzipSync } from "node:zlib";
import { BuildError } from "./build-error.ts";

const MIB = 1_024 * 1_024;
/** Workers Paid; on Workers Free it is 3 (Cloudflare docs: Workers, Limits, Worker size). */
const MOST_MIB = 10;

/**
 * Bytes of all modules together, compressed. @throws BuildError when Cloudflare takes no Worker of that size.
 */
export function compressedSize(modules: readonly Uint8Array[]): number {
  const size = gzipSync(Buffer.concat(modules)).byteLength;
  if (size <= MOST_MIB * MIB) return size;
  throw new BuildError(
    `The Worker is too large: its modules have ${(size / MIB).toFixed(1)} MiB compressed, and Cloudflare takes ${MOST_MIB} MiB. ` +
      "Fix: import less, or keep data in R2 or KV and not in the Worker.",
  );
}
