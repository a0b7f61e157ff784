/** What is kept beside the objects: KV for cached reads, R2 for large data. */
import * as cloudflare from "@pulumi/cloudflare";
import type { Claims } from "./plan/claims.ts";
import type { Settings } from "./stack/config.ts";
import { blobsInputs, LOGICAL, readCacheInputs } from "./stack/declared.ts";

export const readCache = (settings: Settings, { reads: { name, importId } }: Claims) =>
  new cloudflare.WorkersKvNamespace(LOGICAL.reads, readCacheInputs(settings, name), {
    protect: settings.protect,
    ...(importId !== undefined && { import: importId }),
  });

export const blobs = (settings: Settings, { blobs: { name, importId } }: Claims) =>
  new cloudflare.R2Bucket(LOGICAL.blobs, blobsInputs(settings, name), {
    protect: settings.protect,
    ...(importId !== undefined && { import: importId }),
    // Settled when the bucket was made, and found by an import: never a reason to replace it.
    ignoreChanges: ["location", "jurisdiction"],
  });
