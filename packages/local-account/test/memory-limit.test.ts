/** How much memory Workers may take. */
import { expect, it } from "vitest";
import { memoryLimitOf, memoryThere } from "../src/runtime/memory-limit.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

it.each([
  { workers: 1, there: 16 * GIB, mebibytes: 1_024 },
  { workers: 50, there: 64 * GIB, mebibytes: 6_400 },
  { workers: 50, there: 8 * GIB, mebibytes: 4_096 },
  { workers: 1, there: 1 * GIB, mebibytes: 512 },
])("is $mebibytes MiB for $workers Workers", ({ workers, there, mebibytes }) => {
  expect(memoryLimitOf(workers, there) / MIB).toBe(mebibytes);
});

it.each([
  { what: "a limit", container: 2 * GIB, there: 2 * GIB },
  { what: "none", container: 2 ** 64, there: 16 * GIB },
  { what: "one that is not known", container: 0, there: 16 * GIB },
])("counts the memory of the container it runs in, which has $what", ({ container, there }) => {
  expect(memoryThere(16 * GIB, container)).toBe(there);
});
