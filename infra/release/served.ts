/** Whether a stack serves a release: pure. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { type Manifest, shortDigest } from "./manifest.ts";

/** What stands against promoting `release` from `stack`, which serves the release with the digest `served`, or none. */
export function notServed(stack: string, { digest }: Manifest, served: string | undefined): readonly Finding[] {
  if (served === digest) return [];
  return [
    {
      code: "not_promoted",
      subject: `release ${shortDigest(digest)}`,
      message: `${stack} serves ${served === undefined ? "no release" : shortDigest(served)}.`,
      fix: `deploy this release to ${stack} first, or give this stack the artifact that ${stack} runs.`,
    },
  ];
}
