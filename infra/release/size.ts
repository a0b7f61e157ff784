/** How large a release is. */
import { gzipSync } from "node:zlib";
import { MAX_SCRIPT } from "@durable-stack/local-account/limits";
import { BuildError } from "./build-error.ts";

const MIB = 1_024 * 1_024;

/** The most that Cloudflare takes, where people read it. */
export const MOST = `${MAX_SCRIPT / MIB} MiB`;

/** @throws BuildError when Cloudflare takes no Worker with so many bytes in its modules. */
export function checkSize(bytes: number): void {
  if (bytes <= MAX_SCRIPT) return;
  throw new BuildError(
    `The Worker is too large: its modules have ${(bytes / MIB).toFixed(1)} MiB, and Cloudflare takes ${MOST}. ` +
      "Fix: import less, or keep data in R2 or KV and not in the Worker.",
  );
}

/** Bytes of all modules together, compressed: what an upload sends. */
export const compressedSize = (modules: readonly Uint8Array[]): number => gzipSync(Buffer.concat(modules)).byteLength;
