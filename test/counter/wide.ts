/**
 * `node test/counter/wide.ts`: increments a second of a counter on one object, and on 8; and how evenly they spread,
 * which says how much more 8 objects carry where each has a limit. In one workerd all objects share a thread.
 */
import * as v from "valibot";
import { counter } from "../../worker/counter/pattern.ts";
import { startEntry } from "../bench/runtime.ts";

const SHARDS = 8;
const CALLERS = [1, 32, 256];
const RUN_MS = 2_000;
const RUNS = 3;

const Ran = v.object({ calls: v.number(), counts: v.array(v.number()) });

const bench = await startEntry({
  entry: 'export * from "./counter/worker/wide.ts"; export { default } from "./counter/worker/wide.ts";',
  bindings: { [counter.binding]: counter.class },
  settings: { environment: "bench", access: "open", counter: { shards: { wide: SHARDS } } },
});
try {
  for (const callers of CALLERS) {
    const rates = { one: [0], wide: [0] };
    let counts: number[] = [];
    // In turn, so that other load on the machine slows both.
    for (let i = 0; i <= RUNS; i++) {
      for (const id of ["one", "wide"] as const) {
        const body = JSON.stringify({ id, callers, ms: i === 0 ? 300 : RUN_MS, parts: id === "wide" ? SHARDS : 1 });
        const ran = v.parse(Ran, await (await fetch(bench.url, { method: "POST", body })).json());
        if (i > 0) rates[id].push((ran.calls * 1_000) / RUN_MS);
        if (id === "wide") counts = ran.counts;
      }
    }
    const sum = counts.reduce((a, b) => a + b);
    const [one = 0, wide = 0] = [rates.one, rates.wide].map(
      (each) => each.slice(1).sort((a, b) => a - b)[Math.floor(RUNS / 2)],
    );
    console.log(
      `c=${callers}: ${Math.round(one)}/s on one object, ${Math.round(wide)}/s on ${SHARDS} (${(wide / one).toFixed(2)} ×); ` +
        `${(sum / Math.max(...counts)).toFixed(2)} times what the busiest object gets`,
    );
  }
} finally {
  await bench.close();
}
