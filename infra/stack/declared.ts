/**
 * What a stack has besides the versions of its Worker, as Cloudflare is asked for it. The program declares resources with
 * these inputs, and `npm run drift` compares them with what is there.
 */
import type { PublicSettings } from "./config.ts";

/** Whether the Worker answers on workers.dev: only while it has no address of its own. */
export const onWorkersDev = ({ hostname, routes }: Pick<PublicSettings, "hostname" | "routes">): boolean =>
  hostname === undefined && routes.length === 0;

/** The Worker: its name, and the settings that no version carries. */
export const workerInputs = (accountId: string, name: string, workersDev: boolean) => ({
  accountId,
  name,
  subdomain: { enabled: workersDev, previewsEnabled: false },
  observability: { enabled: true },
  tags: ["durable-stack"],
});

/** The KV namespace for reads that may be some seconds old. */
export const readCacheInputs = ({ accountId, workerName }: Pick<PublicSettings, "accountId" | "workerName">) => ({
  accountId,
  title: `${workerName}-reads`,
});

/** The bucket for what is too large for an object: attachments and sealed logs. */
export const blobsInputs = ({ accountId, workerName }: PublicSettings) => ({ accountId, name: `${workerName}-blobs` });
