/** How much memory Workers may take. */
import { ChildProcess } from "node:child_process";
import { expect, it, onTestFinished, vi } from "vitest";
import { MemoryLimit, memoryLimitOf, memoryThere } from "../src/runtime/memory-limit.ts";

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

/** Whether a workerd is ended that has taken memory and opened files as told, one look after the other. */
function isEnded(looks: readonly { readonly mebibytes: number; readonly files: number }[]): boolean {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let [at, isOver] = [0, false];
  const child = new ChildProcess();
  const limit = new MemoryLimit(
    {
      process: () => ({ child, startedAt: 0 }),
      workers: () => 1,
      busy: () => new Set(["app"]),
      onOver: () => {
        isOver = true;
      },
    },
    { memoryOf: () => (looks[at]?.mebibytes ?? 0) * MIB, openFilesOf: () => looks[at]?.files },
  );
  limit.start();
  for (; at < looks.length; at++) vi.advanceTimersToNextTimer();
  limit.stop();
  return isOver;
}

it("ends a Worker that takes much, but not for what workerd takes for many objects, open or closed again", () => {
  const start = { mebibytes: 100, files: 100 };
  expect(isEnded([start, { mebibytes: 1_300, files: 100 }])).toBe(true);
  const many = { mebibytes: 1_300, files: 9_000 };
  expect(isEnded([start, many, { mebibytes: 1_300, files: 100 }])).toBe(false);
  expect(isEnded([start, many, { mebibytes: 2_500, files: 9_000 }])).toBe(true);
});
