/** Hot counters on several objects: nothing is lost or counted twice, whatever the stack says about shards when. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { CounterDO } from "../../../worker/counter/counter.ts";
import { partsOfKey, sumOf, type Width, widened, widest } from "../../../worker/counter/parts.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, connect, unique } from "../../worker/helpers.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

afterEach(() => {
  vi.useRealTimers();
});

/** A counter, and calls to it from stacks that give it so many shards. */
function aCounter() {
  const id = unique();
  const under = (shards: number | undefined) => {
    const settings = shards === undefined ? {} : { counter: { shards: { [id]: shards } } };
    const post = (what: string, json: object = {}, headers: Record<string, string> = {}) =>
      call(`/counter/${what}?id=${id}`, { json, headers, settings });
    return {
      post,
      by: async (key: string, by = 1) => post("increment", { by }, { "Idempotency-Key": key }),
      value: async () => (await call(`/counter/value?id=${id}`, { settings })).body,
      remove: () => call(`/counter?id=${id}`, { method: "DELETE", headers: ADMIN, settings }),
    };
  };
  const part = (number: number) =>
    env.COUNTER.getByName(number === 0 ? `dev-eu:counter:${id}` : `dev-eu:counter:${id}:${number}`);
  const parts = (count: number) =>
    Promise.all(Array.from({ length: count }, async (_, i) => (await part(i).part()).count));
  /**
   * Puts the first `count` of its objects to sleep. One that tells another its count meanwhile cannot: it waits for an
   * answer, and the other for it.
   */
  const sleep = async (count: number) => {
    for (let i = 0; i < count; i++) await vi.waitFor(() => evictDurableObject(part(i)), 30_000);
  };
  return { id, under, part, parts, sleep };
}

describe("a counter with shards", () => {
  it("spreads changes, and reads their sum: every answered change is in it", async () => {
    const { under, parts } = aCounter();
    const wide = under(4);
    for (let i = 1; i <= 40; i++) {
      expect((await wide.post("increment")).status).toBe(200);
      expect(await wide.value()).toEqual({ count: i });
    }
    const each = await parts(4);
    expect(each.reduce((a, b) => a + b)).toBe(40);
    expect(each.filter((count) => count > 0).length).toBeGreaterThan(1);
  });

  it("answers with the count, also right after its objects woke", async () => {
    const { under, sleep } = aCounter();
    const wide = under(3);
    for (let i = 1; i <= 5; i++) await wide.post("increment", { by: 10 });
    await sleep(3);
    expect((await wide.post("increment")).body).toEqual({ count: 51 });
  });

  it("answers with the count of all, if the part that is asked and the home have slept", async () => {
    const { under, part } = aCounter();
    await under(4).by("first");
    for (const number of [1, 2, 3]) await part(number).add(100, { routed: true });
    await evictDurableObject(part(1));
    await evictDurableObject(part(0));
    expect(await part(1).add(1, { routed: true })).toBe(302);
  });

  it("keeps all through hibernation of its objects", async () => {
    const { under, sleep } = aCounter();
    const wide = under(4);
    await Promise.all(Array.from({ length: 30 }, () => wide.post("increment")));
    await wide.post("decrement", { by: 4 });
    await sleep(4);
    expect(await wide.value()).toEqual({ count: 26 });
  });

  it("is as it was, and the log says why, if the stack gives shards to a region that it does not have", async () => {
    const log = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    onTestFinished(() => log.mockRestore());
    const id = unique();
    const settings = { counter: { shards: { [`nowhere~${id}`]: 4 } } };
    const { body } = await call(`/counter/increment?id=${id}`, { json: {}, settings });
    expect(body).toEqual({ count: 1 });
    expect(log.mock.calls.join()).toContain("shards-of-no-counter");
  });

  it("has a floor for the sum, and not for a part: what is below 0 is owed", async () => {
    const wide = aCounter().under(4);
    await wide.post("increment", { by: 5 });
    for (let i = 0; i < 5; i++) await wide.post("decrement");
    expect(await wide.value()).toEqual({ count: 0 });
    await wide.post("decrement", { by: 2 });
    await wide.post("decrement");
    await wide.post("increment", { by: 4 });
    expect(await wide.value()).toEqual({ count: 1 });
  });

  it("is reset on all objects, once for a key", async () => {
    const { under } = aCounter();
    const wide = under(4);
    const reset = () => wide.post("reset", {}, { ...ADMIN, "Idempotency-Key": "r" });
    for (let i = 0; i < 10; i++) await wide.post("increment");
    expect((await reset()).body).toEqual({ count: 0, reset: true });
    expect(await wide.value()).toEqual({ count: 0 });
    await wide.post("increment", { by: 3 });
    const again = await reset();
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(await wide.value()).toEqual({ count: 3 });
    // Also for a stack that does not know of the shards.
    await under(undefined).post("reset", {}, ADMIN);
    expect(await wide.value()).toEqual({ count: 0 });
  });

  it("leaves nothing behind when it is deleted", async () => {
    const { under, part } = aCounter();
    await Promise.all(Array.from({ length: 20 }, (_, i) => under(4).by(`key-${i}`)));
    expect((await under(undefined).remove()).status).toBe(200);
    for (const number of [0, 1, 2, 3]) {
      const left = await runInDurableObject(part(number), async (_, { storage }) => [
        [...storage.kv.list()].length,
        storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'counter'").toArray().length,
        await storage.getAlarm(),
      ]);
      expect(left).toEqual([0, 0, null]);
    }
    expect(await under(4).value()).toEqual({ count: 0 });
  });

  it("that was deleted counts what an isolate adds that has not heard of it", async () => {
    const { id, under, part } = aCounter();
    for (let i = 0; i < 6; i++) await under(4).post("increment");
    await under(4).remove();
    await part(2).add(5, { routed: true });
    // A part tells the home once a second.
    await vi.waitFor(async () => expect((await part(0).part()).widths).toMatchObject([{ width: 3 }]), 30_000);
    expect(await under(undefined).value()).toEqual({ count: 5 });
    const eventual = await call(`/counter/value?id=${id}&consistency=eventual`);
    expect(eventual.body).toMatchObject({ count: 5 });
  });

  it("publishes the sum to KV, also when another part than the home has changed", async () => {
    stopClock();
    const { id, under, part } = aCounter();
    const wide = under(3);
    for (let i = 0; i < 12; i++) await wide.post("increment");
    const eventual = async () => (await call(`/counter/value?id=${id}&consistency=eventual`)).body;
    expect(await eventual()).toMatchObject({ count: 12 });
    pass(10_000);
    await part(2).add(5, { routed: true });
    await vi.waitFor(async () => {
      await runDurableObjectAlarm(part(0));
      expect(JSON.parse((await env.READS.get(`dev-eu:counter:${id}`)) ?? "{}")).toMatchObject({ count: 17 });
    }, 30_000);
  });

  it("goes on to publish after a part did not answer, however often", async () => {
    stopClock();
    const { id, under, part } = aCounter();
    const wide = under(3);
    for (let i = 0; i < 12; i++) await wide.post("increment");
    await call(`/counter/value?id=${id}&consistency=eventual`);
    pass(10_000);
    await part(0).add(1, { routed: true });
    const { part: read } = CounterDO.prototype;
    const away = vi.spyOn(CounterDO.prototype, "part").mockImplementation(function (this: CounterDO) {
      return this.ctx.id.name?.endsWith(":2") ? Promise.reject(new Error("away")) : read.call(this);
    });
    const alarm = () => runInDurableObject(part(0), (_, { storage }) => storage.getAlarm());
    for (let times = 0; times < 8; times++) {
      expect(await runDurableObjectAlarm(part(0))).toBe(true);
      expect(await alarm()).not.toBeNull();
      pass(5_000);
    }
    away.mockRestore();
    await runDurableObjectAlarm(part(0));
    expect(JSON.parse((await env.READS.get(`dev-eu:counter:${id}`)) ?? "{}")).toMatchObject({ count: 13 });
  });

  it("shows watchers the sum", async () => {
    const { id, under, part } = aCounter();
    const wide = under(3);
    for (let i = 0; i < 6; i++) await wide.post("increment");
    const watcher = await connect(`/counter/live?id=${id}`);
    const sees = async (count: number) => {
      for (let seen = await watcher.text(); seen !== JSON.stringify({ count }); ) seen = await watcher.text();
    };
    await sees(6);
    await part(1).add(10, { routed: true });
    await sees(16);
  });
});

describe("another number of shards", () => {
  it("loses nothing: more, fewer, none", async () => {
    const { under } = aCounter();
    let count = 0;
    for (const shards of [undefined, 4, 8, 2, undefined, 3]) {
      for (let i = 0; i < 8; i++) await under(shards).post("increment");
      count += 8;
      for (const other of [undefined, 2, 4, 8]) expect(await under(other).value()).toEqual({ count });
    }
  });

  it.each([
    [undefined, 4],
    [2, 8],
    [8, undefined],
  ])(
    "keeps what was counted since, if a reset comes again under its key: on %s objects, then on %s",
    async (from, to) => {
      stopClock();
      const { under } = aCounter();
      const reset = (shards: number | undefined) =>
        under(shards).post("reset", {}, { ...ADMIN, "Idempotency-Key": "r" });
      await under(from).post("increment", { by: 5 });
      expect((await reset(from)).headers.get("Idempotent-Replayed")).toBeNull();
      for (let times = 0; times < 2; times++) {
        pass(200_000);
        for (let i = 0; i < 20; i++) await under(to).post("increment");
      }
      const again = await reset(to);
      expect([again.body, again.headers.get("Idempotent-Replayed")]).toEqual([{ count: 0, reset: true }, "true"]);
      expect(await under(to).value()).toEqual({ count: 40 });
    },
  );

  it("does not count a repeated key twice, however long ago the change was and whatever stack repeats it", async () => {
    stopClock();
    const { under } = aCounter();
    const keys: string[] = [];
    for (const shards of [undefined, 4, 8, undefined, 16, 2]) {
      for (let i = 0; i < 6; i++) {
        const key = `${shards}-${keys.length}`;
        keys.push(key);
        expect((await under(shards).by(key)).status).toBe(200);
        pass(20_000);
      }
      for (const [i, key] of keys.entries()) {
        const again = await under([undefined, 4, 8, 16][i % 4]).by(key);
        expect(again.headers.get("Idempotent-Replayed")).toBe("true");
      }
      expect(await under(shards).value()).toEqual({ count: keys.length });
      pass(60 * MINUTE);
    }
    pass(DAY - 10 * 60 * MINUTE);
    for (const key of keys.slice(-6)) await under(16).by(key);
    expect(await under(2).value()).toEqual({ count: keys.length });
  });

  it("counts a key once that comes many times at once, also right after the objects woke", async () => {
    const { id, under, sleep } = aCounter();
    const wide = under(4);
    await wide.post("increment");
    for (let round = 1; round <= 3; round++) {
      // A key of the home, which asks the other parts before its first change.
      const widths = [{ width: 4, from: Date.now() + 2 * MINUTE }];
      const key = Array.from({ length: 50 }, (_, i) => `${id}-${round}-${i}`).find((one) => {
        const { part, others } = partsOfKey(one, widths, Date.now());
        return part === 0 && others.length === 0;
      });
      await sleep(4);
      const answers = await Promise.all(Array.from({ length: 5 }, () => wide.by(key ?? "")));
      expect(answers.map(({ body }) => body)).toEqual(Array(5).fill({ count: round + 1 }));
      expect(answers.filter(({ headers }) => headers.get("Idempotent-Replayed") === "true")).toHaveLength(4);
      expect(await wide.value()).toEqual({ count: round + 1 });
    }
  });

  it("refuses a key that comes again with another payload", async () => {
    stopClock();
    const { under } = aCounter();
    await under(undefined).by("k", 1);
    expect((await under(8).by("k", 2)).status).toBe(409);
    pass(5 * MINUTE);
    expect((await under(8).by("k", 2)).status).toBe(409);
  });

  it("refuses a reset with the key of an increment, and resets no part", async () => {
    stopClock();
    const { id } = aCounter();
    const settings = { access: "rules", counter: { shards: { [id]: 8 } } };
    const post = (what: string, key: string) =>
      call(`/counter/${what}?id=${id}`, { json: {}, headers: { ...ADMIN, "Idempotency-Key": key }, settings });
    await post("increment", "makes-it-wide");
    pass(5 * MINUTE);
    for (let i = 0; i < 4; i++) await post("increment", `key-${i}`);
    for (let i = 0; i < 4; i++) expect((await post("reset", `key-${i}`)).status).toBe(409);
    expect((await call(`/counter/value?id=${id}`, { headers: ADMIN, settings })).body).toEqual({ count: 5 });
  });

  it("counts a key once whose call was on its way while the key moved, and came again meanwhile", async () => {
    stopClock();
    const { id, under, parts } = aCounter();
    const wide = under(4);
    await wide.by("makes-it-wide");
    const key = Array.from({ length: 50 }, (_, i) => `${id}-${i}`).find(
      (one) => partsOfKey(one, [{ width: 4, from: 0 }], Date.now()).part === 2,
    );
    pass(2 * MINUTE - 1);
    const { add } = CounterDO.prototype;
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isHeld = false;
    const spy = vi.spyOn(CounterDO.prototype, "add").mockImplementation(async function (this: CounterDO, by, terms) {
      if (!isHeld && terms?.only === undefined) {
        isHeld = true;
        reached.resolve();
        await released.promise;
      }
      return add.call(this, by, terms);
    });
    onTestFinished(() => spy.mockRestore());
    const first = wide.by(key ?? "", 5);
    await reached.promise;
    pass(1);
    const again = await wide.by(key ?? "", 5);
    released.resolve();
    expect([(await first).body, again.body]).toEqual([{ count: 6 }, { count: 6 }]);
    expect((await first).headers.get("Idempotent-Replayed")).toBe("true");
    expect(await parts(4)).toEqual([1, 0, 5, 0]);
  });

  it("refuses a reset if an increment with its key comes meanwhile", async () => {
    stopClock();
    const { under } = aCounter();
    const wide = under(4);
    for (let i = 0; i < 20; i++) await wide.post("increment");
    const { reset } = CounterDO.prototype;
    let isDone = false;
    const spy = vi.spyOn(CounterDO.prototype, "reset").mockImplementation(async function (this: CounterDO, terms) {
      const isHere = this.ctx.id.name?.endsWith(":3");
      if (isHere && !isDone && terms?.only === undefined) {
        isDone = true;
        await this.add(1, terms);
      }
      return reset.call(this, terms);
    });
    onTestFinished(() => spy.mockRestore());
    expect((await wide.post("reset", {}, { ...ADMIN, "Idempotency-Key": "r" })).status).toBe(409);
    expect(isDone).toBe(true);
  });

  it("never makes a counter narrower, and moves keys only once all isolates know", () => {
    let widths: readonly Width[] = [];
    widths = widened(widths, 4, 1_000_000);
    widths = widened(widths, 2, 2_000_000);
    expect(widths).toEqual([{ width: 4, from: 1_120_000 }]);
    expect(widest(widths)).toBe(4);
    const before = partsOfKey("some key", widths, 1_119_999);
    const after = partsOfKey("some key", widths, 1_120_000);
    expect(before.part).toBe(0);
    expect([...before.others, before.part].sort()).toEqual([...after.others, after.part].sort());
  });
});

describe("keys", () => {
  it.each([2, 8, 100])("spread over %i parts: the busiest has at most a quarter more than its share", (width) => {
    const widths = [{ width, from: 0 }];
    const counts = new Map<number, number>();
    for (let i = 0; i < width * 1_000; i++) {
      const { part } = partsOfKey(`order-${i}`, widths, Date.now());
      counts.set(part, (counts.get(part) ?? 0) + 1);
    }
    expect(counts.size).toBe(width);
    expect(Math.max(...counts.values())).toBeLessThan(1_250);
  });

  it("sum up between 0 and the largest count", () => {
    expect(sumOf([3, -5])).toBe(0);
    expect(sumOf([Number.MAX_SAFE_INTEGER, 5])).toBe(Number.MAX_SAFE_INTEGER);
  });
});
