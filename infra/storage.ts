/** What is kept beside the objects: KV for cached reads, R2 for large data. */
import * as cloudflare from "@pulumi/cloudflare";
import type { Settings } from "./stack/config.ts";
import { blobsInputs, readCacheInputs } from "./stack/declared.ts";

export const readCache = (settings: Settings) =>
  new cloudflare.WorkersKvNamespace("reads", readCacheInputs(settings), { protect: settings.protect });

export const blobs = (settings: Settings) =>
  new cloudflare.R2Bucket("blobs", blobsInputs(settings), { protect: settings.protect });
