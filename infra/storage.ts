/** What is kept beside the objects: KV for cached reads, R2 for large data, and what wrangler.jsonc asks for besides. */

import type * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "./cloudflare.ts";
import type { Claims } from "./plan/claims/claims.ts";
import type { Settings } from "./stack/config.ts";
import { blobsInputs, LOGICAL, readCacheInputs } from "./stack/declared.ts";
import { storageBinding } from "./stack/extras.ts";

type Binding = cloudflare.types.input.WorkerVersionBinding;

/**
 * Makes all of it, and returns its bindings. Everything is made after the Worker, so it is deleted before the Worker, the
 * buckets first: Cloudflare refuses to delete a bucket with something in it, and at that point nothing is lost yet.
 */
export function storage(settings: Settings, claims: Claims, worker: pulumi.Resource): readonly Binding[] {
  const { accountId, protect } = settings;
  const of = (kind: "kv" | "r2" | "d1") => claims.storage.filter((one) => one.kind === kind);
  const taking = (importId: string | undefined) => (importId === undefined ? {} : { import: importId });
  const afterWorker = { dependsOn: [worker] };
  // If a binding goes, its data stays in the account, unless the stack has `protect: false`.
  const kept = { retainOnDelete: protect };

  const reads = new cloudflare.WorkersKvNamespace(LOGICAL.reads, readCacheInputs(settings, claims.reads.name), {
    ...afterWorker,
    ...taking(claims.reads.importId),
    protect,
  });
  const namespaces = of("kv").map((one) => {
    const options = { ...afterWorker, ...kept, ...taking(one.importId) };
    const inputs = { accountId, title: one.name };
    const made = new cloudflare.WorkersKvNamespace(LOGICAL.storage("kv", one.binding), inputs, options);
    return { made, binding: storageBinding(one, made.id) };
  });
  const databases = of("d1").map((one) => {
    // Its place was chosen when it was made, and an import finds it.
    const ignoreChanges = ["jurisdiction", "primaryLocationHint", "readReplication"];
    const options = { ...afterWorker, ...kept, ...taking(one.importId), ignoreChanges };
    const made = new cloudflare.D1Database(LOGICAL.storage("d1", one.binding), { accountId, name: one.name }, options);
    return { made, binding: storageBinding(one, made.id) };
  });
  const bucketOptions = (importId: string | undefined) => ({
    dependsOn: [worker, reads, ...[...namespaces, ...databases].map(({ made }) => made)],
    ...taking(importId),
    // Chosen when the bucket was made, and found by an import: never a reason to replace it.
    ignoreChanges: ["location", "jurisdiction"],
  });
  const blobs = new cloudflare.R2Bucket(LOGICAL.blobs, blobsInputs(settings, claims.blobs.name), {
    ...bucketOptions(claims.blobs.importId),
    protect,
  });
  const buckets = of("r2").map((one) => {
    const { name, jurisdiction } = one;
    const inputs = { accountId, name, ...(jurisdiction !== undefined && { jurisdiction }) };
    const options = { ...bucketOptions(one.importId), ...kept };
    const made = new cloudflare.R2Bucket(LOGICAL.storage("r2", one.binding), inputs, options);
    return storageBinding(one, made.name);
  });
  return [
    storageBinding({ kind: "kv", binding: "READS" }, reads.id),
    storageBinding({ kind: "r2", binding: "BLOBS" }, blobs.name),
    ...[...namespaces, ...databases].map(({ binding }) => binding),
    ...buckets,
  ];
}
