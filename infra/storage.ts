/** What is kept beside the objects: KV for cached reads, R2 for large data. */
import * as cloudflare from "@pulumi/cloudflare";
import type { Settings } from "./config.ts";

/** The KV namespace for reads that may be some seconds old. */
export const readCache = ({ accountId, workerName, protect }: Settings) =>
  new cloudflare.WorkersKvNamespace("reads", { accountId, title: `${workerName}-reads` }, { protect });

/** The bucket for what is too large for an object: attachments and sealed logs. */
export const blobs = ({ accountId, workerName, protect }: Settings) =>
  new cloudflare.R2Bucket("blobs", { accountId, name: `${workerName}-blobs` }, { protect });
