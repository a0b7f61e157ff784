/** Group commit by itself. The test decides when writes end. */
import { expect, it } from "vitest";
import { GroupCommit } from "../../worker/objects/group-commit.ts";

/** Commits to a simulated disk, which records how many changes each write had. */
function aDisk() {
  const writes: { changes: readonly number[]; done: () => void; fail: (why: Error) => void }[] = [];
  let made = 0;
  const commits = new GroupCommit<number, string>(async (changes) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    writes.push({ changes, done: resolve, fail: reject });
    await promise;
    return changes.map((change) => `wrote ${change}`);
  });
  const change = () => commits.commit(++made);
  const end = async (index: number) => {
    writes[index]?.done();
    // Waits for the reactions, which come before the next tick of the timer.
    await new Promise((resolve) =>
      queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => resolve(undefined)))),
    );
  };
  return { commits, change, writes, end, sizes: () => writes.map(({ changes }) => changes.length) };
}

it("a lone caller's write begins at once, every time", async () => {
  const { change, sizes, end } = aDisk();
  for (let turn = 0; turn < 3; turn++) {
    const done = change();
    expect(sizes()).toHaveLength(turn + 1);
    await end(turn);
    await done;
  }
  expect(sizes()).toEqual([1, 1, 1]);
});

it("changes that come during a write share the next one, and are not durable before it", async () => {
  const { change, sizes, end } = aDisk();
  let durable = 0;
  const count = () => durable++;
  const first = change().then(count);
  const others = Array.from({ length: 31 }, () => change().then(count));
  expect(sizes()).toEqual([1]);
  await end(0);
  await first;
  expect(durable).toBe(1);
  // The first caller could call again, but does not.
  await expect.poll(sizes).toEqual([1, 31]);
  expect(durable).toBe(1);
  await end(1);
  await Promise.all(others);
  expect(durable).toBe(32);
});

it("every change gets its own answer, and can be found until it is written", async () => {
  const { commits, change, end, sizes } = aDisk();
  const answers = [change(), change(), change()];
  expect(commits.pending).toEqual([1, 2, 3]);
  await end(0);
  await expect.poll(sizes).toEqual([1, 2]);
  expect(commits.pending).toEqual([2, 3]);
  await end(1);
  expect(await Promise.all(answers)).toEqual(["wrote 1", "wrote 2", "wrote 3"]);
  await expect.poll(() => commits.pending).toEqual([]);
});

it("a change without an answer from its write fails", async () => {
  const commits = new GroupCommit<number, number>(async () => []);
  await expect(commits.commit(1)).rejects.toThrow("got no answer");
});

it("callers who come back at once are all in one write, without a wait for the last", async () => {
  const { change, sizes, end } = aDisk();
  const callers = [change(), change(), change()];
  await end(0);
  callers[0] = change();
  expect(sizes()).toEqual([1, 3]);
  await end(1);
  await Promise.all(callers);
  const again = [change(), change()];
  expect(sizes()).toEqual([1, 3]);
  again.push(change());
  expect(sizes()).toEqual([1, 3, 3]);
  await end(2);
  await Promise.all(again);
});

it("a failed write fails only its own changes", async () => {
  const { change, writes, sizes, end } = aDisk();
  const lost = change();
  const next = change();
  writes[0]?.fail(new Error("disk full"));
  await expect(lost).rejects.toThrow("disk full");
  await expect.poll(sizes).toEqual([1, 1]);
  await end(1);
  await next;
});

it("settled waits for earlier changes, and writes nothing", async () => {
  const { commits, change, sizes, end } = aDisk();
  await commits.settled();
  expect(sizes()).toEqual([]);
  let settled = false;
  void change();
  const waiting = commits.settled().then(() => {
    settled = true;
  });
  await Promise.resolve();
  expect(settled).toBe(false);
  await end(0);
  await waiting;
  expect(sizes()).toEqual([1]);
});

/** Commits whose writes are made at once. The test decides when they are on disk. */
function aSlowDisk() {
  const sizes: number[] = [];
  const asked: (() => void)[] = [];
  const commits = new GroupCommit<number, number>(
    async (changes) => {
      sizes.push(changes.length);
      return changes;
    },
    () => new Promise((resolve) => asked.push(resolve)),
  );
  return { change: () => commits.commit(0), sizes, asked };
}

it("an answer waits for its write and not for the disk; the next write waits for it", async () => {
  const { change, sizes, asked } = aSlowDisk();
  await change();
  const next = [change(), change()];
  expect(sizes).toEqual([1]);
  asked[0]?.();
  await Promise.all(next);
  expect(sizes).toEqual([1, 2]);
});

it("for who stays alone, one write in eight waits for the disk", async () => {
  const { change, sizes, asked } = aSlowDisk();
  for (let turn = 0; turn < 40; turn++) {
    await change();
    asked.at(-1)?.();
    await scheduler.wait(0);
  }
  expect(sizes).toHaveLength(40);
  // The first eight, and then one of eight.
  expect(asked).toHaveLength(8 + 4);
});

it("once others come, every write waits for the disk again", async () => {
  const { change, asked } = aSlowDisk();
  const turn = async (callers: number) => {
    const changes = Array.from({ length: callers }, change);
    for (let i = 0; i < 3; i++) {
      asked.at(-1)?.();
      await scheduler.wait(1);
    }
    await Promise.all(changes);
  };
  for (let i = 0; i < 16; i++) await turn(1);
  // One of these writes asks the disk, and the others come meanwhile.
  for (let i = 0; i < 8; i++) await turn(3);
  const before = asked.length;
  for (let i = 0; i < 4; i++) await turn(1);
  expect(asked.length).toBe(before + 4);
});
