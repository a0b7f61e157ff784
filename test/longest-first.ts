/**
 * The order of test files. vitest begins with those that took long before, or else with large ones; a clean clone has no
 * "before", and what waits most is not what is written longest. Begun last, such a file runs alone.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The longest files of the suites, the longest first. */
const LONG = [
  "test/account/rollout.test.ts",
  "test/account/rehearsal.test.ts",
  "test/account/rollout-by-hand.test.ts",
  "test/account/rollback.test.ts",
  "test/engine/pipeline.test.ts",
  "test/engine/rotate.test.ts",
  "test/engine/rollout.test.ts",
  "test/engine/guards.test.ts",
  "test/infra/option-mistakes.test.ts",
  "test/infra/file-mistakes.test.ts",
  "packages/local-account/test/loops.test.ts",
  "packages/local-account/test/queues.test.ts",
  "packages/local-account/test/workflows.test.ts",
  // At night.
  "test/engine/pipeline-analysis.test.ts",
  "test/engine/promote-interrupted.test.ts",
  "test/engine/taken-over.test.ts",
  "test/engine/destroy.test.ts",
  "test/engine/pipeline-two.test.ts",
];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = LONG.findIndex((file) => moduleId.endsWith(`/${file}`));
  return found < 0 ? LONG.length : found;
};

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
