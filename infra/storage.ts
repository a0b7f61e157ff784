/** What is kept beside the objects: KV for cached reads, R2 for large data, and what wrangler.jsonc asks for besides. */

import type * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "./cloudflare.ts";
import type { Claims } from "./plan/claims.ts";
import type { Settings } from "./stack/config.ts";
import { blobsInputs, LOGICAL, readCacheInputs } from "./stack/declared.ts";
import { storageBinding } from "./stack/extras.ts";

type Binding = cloudflare.types.input.WorkerVersionBinding;

/**
 * Bindings to all of it. Everything is made after the Worker and so goes before it, the buckets first: Cloudflare deletes
 * no bucket with something in it, and whoever is refused that has lost nothing yet.
 */
export function storage(settings: Settings, claims: Claims, worker: pulumi.Resource): readonly Binding[] {
  const { accountId, protect } = settings;
  const of = (kind: "kv" | "r2" | "d1") => claims.storage.filter((one) => one.kind === kind);
  const taking = (importId: string | undefined) => (importId === undefined ? {} : { import: importId });
  const afterWorker = { dependsOn: [worker] };
  // A binding that goes takes no data along: in a stack that is protected, what it was for stays in the account.
  const kept = { retainOnDelete: protect };

  const reads = new cloudflare.WorkersKvNamespace(LOGICAL.reads, readCacheInputs(settings, claims.reads.name), {
    ...afterWorker,
    ...taking(claims.reads.importId),
    protect,
  });
  const namespaces = of("kv").map(({ kind, binding, name, importId }) => {
    const options = { ...afterWorker, ...kept, ...taking(importId) };
    const made = new cloudflare.WorkersKvNamespace(LOGICAL.storage(kind, binding), { accountId, title: name }, options);
    return { made, binding: storageBinding(kind, binding, made.id) };
  });
  const databases = of("d1").map(({ kind, binding, name, importId }) => {
    // Where it is was settled when it was made, and is found by an import.
    const ignoreChanges = ["jurisdiction", "primaryLocationHint", "readReplication"];
    const options = { ...afterWorker, ...kept, ...taking(importId), ignoreChanges };
    const made = new cloudflare.D1Database(LOGICAL.storage(kind, binding), { accountId, name }, options);
    return { made, binding: storageBinding(kind, binding, made.id) };
  });
  const bucketOptions = (importId: string | undefined) => ({
    dependsOn: [worker, reads, ...[...namespaces, ...databases].map(({ made }) => made)],
    ...taking(importId),
    // Settled when the bucket was made, and found by an import: never a reason to replace it.
    ignoreChanges: ["location", "jurisdiction"],
  });
  const blobs = new cloudflare.R2Bucket(LOGICAL.blobs, blobsInputs(settings, claims.blobs.name), {
    ...bucketOptions(claims.blobs.importId),
    protect,
  });
  const buckets = of("r2").map(({ kind, binding, name, importId }) => {
    const options = { ...bucketOptions(importId), ...kept };
    const made = new cloudflare.R2Bucket(LOGICAL.storage(kind, binding), { accountId, name }, options);
    return storageBinding(kind, binding, made.name);
  });
  return [
    storageBinding("kv", "READS", reads.id),
    storageBinding("r2", "BLOBS", blobs.name),
    ...[...namespaces, ...databases].map(({ binding }) => binding),
    ...buckets,
  ];
}
