/** The resource types of the program, as the provider keeps them at Cloudflare: one adapter for apply and for tests. */
import { d1Database } from "./d1.ts";
import { workersDeployment } from "./deployments.ts";
import { workersCustomDomain, workersRoute } from "./edge.ts";
import type { Kind } from "./kind.ts";
import { workersCronTrigger, workersScriptSubdomain } from "./scripts.ts";
import { r2Bucket, workersKvNamespace } from "./storage.ts";
import { workerVersion } from "./versions.ts";
import { worker } from "./workers.ts";

const KINDS = new Map(
  [
    worker,
    workerVersion,
    workersDeployment,
    workersKvNamespace,
    r2Bucket,
    d1Database,
    workersRoute,
    workersCustomDomain,
    workersScriptSubdomain,
    workersCronTrigger,
  ].map((kind): [string, Kind] => [kind.type, kind]),
);

/** The type tokens of all kinds. */
export const TYPES: readonly string[] = [...KINDS.keys()];

/** The kind of a type token. @throws Error when the adapter has no such type. */
export function kindOf(type: string): Kind {
  const kind = KINDS.get(type);
  if (kind) return kind;
  throw new Error(`${type}: the local adapter has no such type. It has: ${TYPES.join(", ")}.`);
}
