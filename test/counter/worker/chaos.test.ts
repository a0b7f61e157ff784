/** Counters under random operations from many clients and random faults, checked against a model. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { Dice, insist, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { fetchApp } from "../../worker/helpers.ts";

useOwnClock();

const CLIENTS = 8;

it("the counter loses and doubles no count", async () => {
  const dice = new Dice(seed);
  const tally = new Tally();
  const id = `chaos-${seed}`;
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
        const response = await fetchApp(`/counter/increment?id=${id}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "Idempotency-Key": `${name}-${i}` },
          body: JSON.stringify({ by }),
        });
        if (response.status !== 200) throw new Error(`${response.status}`);
        return (await response.json<{ count: number }>()).count;
      });
      if (count <= last || count > sum) violations++;
      last = count;
      // These reads make the counter publish by its alarm, so that the faults have an alarm to disturb.
      if (dice.chance(0.1)) await readCopy();
      await faulting;
    }
  };
  const readCopy = async () => {
    const response = await fetchApp(`/counter/value?id=${id}&consistency=eventual`);
    if (response.status !== 200) return;
    tally.add("eventual reads");
    if ((await response.json<{ count: number }>()).count > sum) violations++;
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  const response = await insist(tally, () => fetchApp(`/counter/value?id=${id}`));
  const { count } = await response.json<{ count: number }>();
  if (count !== sum) violations++;
  tally.report("counter", done, violations);
  expect(violations).toBe(0);
});
