/** How much memory Workers may take. */
import { expect, it } from "vitest";
import { memoryLimitOf } from "../src/runtime/memory-limit.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

it.each([
  { workers: 1, machine: 16 * GIB, mebibytes: 1_024 },
  { workers: 50, machine: 64 * GIB, mebibytes: 6_400 },
  { workers: 50, machine: 8 * GIB, mebibytes: 4_096 },
  { workers: 1, machine: 1 * GIB, mebibytes: 512 },
])("is $mebibytes MiB for $workers Workers", ({ workers, machine, mebibytes }) => {
  expect(memoryLimitOf(workers, machine) / MIB).toBe(mebibytes);
});
