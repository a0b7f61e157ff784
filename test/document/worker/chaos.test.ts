/**
 * Documents under random faults: everybody converges to the same bytes, and nothing that was told is lost. A long run:
 * CHAOS_OPERATIONS=100000 npm run test:chaos -- test/document
 */
import fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { Dice, operations, seed } from "../../worker/chaos.ts";
import { compactOften, STEPS, type Step, World } from "./world.ts";

/** A longer past only takes longer. */
const EDITS_PER_DOCUMENT = 4_000;

afterEach(() => vi.restoreAllMocks());

async function converges(world: World): Promise<void> {
  const { clients, disk, withTold } = await world.settle();
  expect(clients).toEqual(clients.map(() => disk));
  expect(withTold).toBe(disk);
}

/** Mostly edits. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.constant("edit" as const) },
  { weight: 3, arbitrary: fc.constant("connect" as const) },
  { weight: 2, arbitrary: fc.constantFrom(...STEPS) },
);
const steps = fc.array(fc.tuple(step, fc.nat(2)), { minLength: 20, maxLength: 120 });

it("three clients of a document converge to the same bytes: short runs, of which the shortest that fails is shown", async () => {
  compactOften(new Dice(seed));
  await fc.assert(
    fc.asyncProperty(fc.integer(), steps, async (luck, list) => {
      const world = new World(3, new Dice(luck));
      try {
        for (const [what, who] of list) await world.step(what, who);
        await converges(world);
      } finally {
        world.destroy();
      }
    }),
    { numRuns: 15, seed, endOnFailure: true },
  );
});

it("six clients of a document converge to the same bytes: long runs, a new document after some thousand edits", async () => {
  const dice = new Dice(seed + 5);
  compactOften(dice);
  const counts: Record<string, number> = {};
  let left = operations;
  try {
    while (left > 0) {
      const world = new World(6, dice, counts);
      for (let edits = Math.min(left, EDITS_PER_DOCUMENT); edits > 0; ) {
        const what: Step = dice.chance(0.85) ? "edit" : dice.chance(0.5) ? "connect" : dice.pick(STEPS);
        await world.step(what, dice.whole(0, 5));
        if (what === "edit") edits--;
        // Others get their turn.
        if (dice.chance(0.2)) await scheduler.wait(0);
      }
      await converges(world);
      world.destroy();
      left -= EDITS_PER_DOCUMENT;
    }
  } finally {
    const all = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
    console.info(`document, CHAOS_SEED=${seed}: ${all.join(", ")}`);
  }
});
