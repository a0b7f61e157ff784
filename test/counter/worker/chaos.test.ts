/** Counters under random operations from many clients and random faults, checked against a model. */
import { env } from "cloudflare:workers";
import * as v from "valibot";
import { expect, it } from "vitest";
import { Dice, expectFaults, insist, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { type Answer, type Call, call } from "../../worker/helpers.ts";

useOwnClock();

const CLIENTS = 8;

const Counted = v.object({ count: v.number() });

/** @throws Error if the answer has no count */
function countIn({ status, body }: Answer): number {
  if (status !== 200) throw new Error(`${status}`);
  return v.parse(Counted, body).count;
}

it.each([
  { title: "the counter", name: "one", numbers: [undefined] },
  // Stacks that disagree, as during a rollout, and a repeated call may come to any of them.
  {
    title: "a counter on several objects, on as many as each caller's stack says,",
    name: "wide",
    numbers: [3, 8, undefined],
  },
] as const)("$title loses and doubles no count", async ({ name: kind, numbers }) => {
  const dice = new Dice(seed);
  const tally = new Tally();
  const id = `chaos-${kind}-${seed}`;
  const ask = (path: string, more: Call = {}) => {
    const shards = dice.pick(numbers);
    return call(path, {
      ...more,
      ...(shards !== undefined && { settings: { counter: { shards: { [id]: shards } } } }),
    });
  };
  const stub = () => env.COUNTER.getByName(`dev-eu:counter:${id}`);
  const done = CLIENTS * Math.ceil(operations / CLIENTS);
  let sum = 0;
  let violations = 0;

  const client = async (name: number) => {
    let last = 0;
    for (let i = 0; i < done / CLIENTS; i++) {
      const by = dice.whole(1, 5);
      sum += by;
      const faulting = maybeFault(dice, tally, stub);
      const count = await insist(tally, async () => {
        const headers = { "Idempotency-Key": `${name}-${i}` };
        return countIn(await ask(`/counter/increment?id=${id}`, { json: { by }, headers }));
      });
      // The answer of a counter on several objects may be behind.
      if ((kind === "one" && count <= last) || count > sum) violations++;
      last = count;
      // These reads make the counter publish by its alarm, so that the faults have an alarm to disturb.
      if (dice.chance(0.1)) await readCopy();
      await faulting;
    }
  };
  const readCopy = async () => {
    const answer = await ask(`/counter/value?id=${id}&consistency=eventual`);
    if (answer.status !== 200) return;
    tally.add("eventual reads");
    if (countIn(answer) > sum) violations++;
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  const count = await insist(tally, async () => countIn(await ask(`/counter/value?id=${id}`)));
  if (count !== sum) violations++;
  tally.report(`counter, ${kind}`, done, violations);
  expect(violations).toBe(0);
  // One operation in ten is followed by one, and few of them fail.
  expect(tally.of("eventual reads")).toBeGreaterThan(done / 20);
  expectFaults(tally, done);
});
