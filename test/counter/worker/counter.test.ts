/** The counter over HTTP and WebSocket, with evictions, retries, alarms and a hundred callers at once. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { CounterDO } from "../../../worker/counter/counter.ts";
import { watchRequest } from "../../../worker/counter/watchers.ts";
import { newcomer } from "../../../worker/http/anonymous.ts";
import { patterns } from "../../../worker/patterns.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, connect, fetchApp, Socket, unique } from "../../worker/helpers.ts";
import { countRows, fewestRows } from "../../worker/rows.ts";
import { cost } from "../cost.ts";

const HOUR = 60 * 60 * 1_000;
const DAY = 24 * HOUR;
const folders: readonly string[] = patterns.map(({ folder }) => folder);

/** A new counter, and its object. */
function aCounter() {
  const id = unique();
  const stub = env.COUNTER.getByName(`dev-eu:counter:${id}`);
  const post = (what: string, json: unknown = {}, headers: Record<string, string> = {}) =>
    call(`/counter/${what}?id=${id}`, { json, headers });
  const value = async () => (await call(`/counter/value?id=${id}`)).body;
  return { id, stub, post, value };
}

describe("counting", () => {
  it("adds and subtracts, one or as many as asked", async () => {
    const { post, value } = aCounter();
    expect((await post("increment")).body).toEqual({ count: 1 });
    expect((await post("increment", { by: 41 })).body).toEqual({ count: 42 });
    expect((await post("decrement", { by: 2 })).body).toEqual({ count: 40 });
    expect((await post("decrement")).body).toEqual({ count: 39 });
    expect(await value()).toEqual({ count: 39 });
  });

  it("counts a post without a body as one step", async () => {
    const { id, value } = aCounter();
    expect(await call(`/counter/increment?id=${id}`, { method: "POST" })).toMatchObject({ status: 200 });
    expect(await value()).toEqual({ count: 1 });
  });

  it("does not go below 0", async () => {
    const { post } = aCounter();
    await post("increment", { by: 3 });
    expect((await post("decrement", { by: 1_000_000 })).body).toEqual({ count: 0 });
    expect((await post("increment")).body).toEqual({ count: 1 });
  });

  it("does not go above 2^53 - 1, and keeps that number exactly", async () => {
    const { stub, post, value } = aCounter();
    await post("increment");
    await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("UPDATE counter SET count = ?", Number.MAX_SAFE_INTEGER - 1),
    );
    await evictDurableObject(stub);
    expect((await post("increment", { by: 1_000_000 })).body).toEqual({ count: Number.MAX_SAFE_INTEGER });
    await evictDurableObject(stub);
    expect(await value()).toEqual({ count: Number.MAX_SAFE_INTEGER });
  });

  it("counts under the id `global` when none is given", async () => {
    await call("/counter/increment", { json: { by: 7 } });
    expect((await call("/counter/value")).body).toEqual((await call("/counter?id=global")).body);
    expect((await call("/counter/value")).body).not.toEqual({ count: 0 });
  });

  it("keeps the same id apart in each region, and a bare id in the home region", async () => {
    const id = unique();
    await call(`/counter/increment?id=us~${id}`, { json: { by: 5 } });
    await call(`/counter/increment?id=${id}`, { json: { by: 3 } });
    expect((await call(`/counter/value?id=us~${id}`)).body).toEqual({ count: 5 });
    expect((await call(`/counter/value?id=eu~${id}`)).body).toEqual({ count: 3 });
    expect((await call(`/counter/value?id=ap~${id}`)).body).toEqual({ count: 0 });
  });

  it.each(["increment", "decrement", "reset"])("never changes anything by GET /%s", async (what) => {
    const { id, value, post } = aCounter();
    await post("increment");
    const answer = await call(`/counter/${what}?id=${id}`, { headers: ADMIN });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("Allow")).toBe("POST");
    expect(await value()).toEqual({ count: 1 });
  });

  it.each([0, -1, 1.5, 1_000_001, "1", null, [1], { by: 1 }, 1e308])("refuses a step of %j", async (by) => {
    const { post, value } = aCounter();
    const answer = await post("increment", { by });
    expect(answer).toMatchObject({ status: 400, body: { status: 400, errors: [{ field: "by" }] } });
    expect(await value()).toEqual({ count: 0 });
  });

  it("refuses an unknown field, so that a typing error is not a step of 1", async () => {
    const { post, value } = aCounter();
    expect(await post("increment", { buy: 5 })).toMatchObject({ status: 400, body: { errors: [{ field: "buy" }] } });
    expect(await value()).toEqual({ count: 0 });
  });
});

describe("durability", () => {
  it("keeps its count over an eviction", async () => {
    const { stub, post, value } = aCounter();
    await post("increment", { by: 12 });
    await evictDurableObject(stub);
    expect(await value()).toEqual({ count: 12 });
    expect((await post("increment")).body).toEqual({ count: 13 });
  });

  it("answers a hundred at once with a hundred different counts", async () => {
    const { post, value } = aCounter();
    const answers = await Promise.all(Array.from({ length: 100 }, () => post("increment")));
    const counts = answers.map(({ body }) => body);
    expect(counts).toHaveLength(100);
    expect(new Set(counts.map((count) => JSON.stringify(count))).size).toBe(100);
    expect(await value()).toEqual({ count: 100 });
  });

  it("answers in the order in which calls arrive", async () => {
    const { stub } = aCounter();
    const counted = await Promise.all(Array.from({ length: 64 }, (_, index) => stub.add(index + 1)));
    const sums = Array.from({ length: 64 }, (_, index) => ((index + 1) * (index + 2)) / 2);
    expect(counted).toEqual(sums);
  });

  it("stores nothing for a counter that was only read", async () => {
    const { id, stub, value } = aCounter();
    expect(await value()).toEqual({ count: 0 });
    await call(`/counter/value?id=${id}&consistency=eventual`);
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("forgets a change that could not be written: nobody ever sees a count that is not on disk", async () => {
    const { stub, post, value } = aCounter();
    await post("increment", { by: 5 });
    await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("CREATE TRIGGER full BEFORE UPDATE ON counter BEGIN SELECT raise(ABORT, 'disk full'); END"),
    );
    expect((await post("increment")).status).toBe(503);
    expect(await value()).toEqual({ count: 5 });
  });

  it("is called again after a failed write, if a key keeps the change from happening twice", async () => {
    const { stub, post, value } = aCounter();
    await post("increment", { by: 5 });
    // The object that cannot write is reset; the next instance can.
    const failOnce = () =>
      runInDurableObject(env.COUNTER.get(stub.id), (_, { storage }) => {
        const exec = storage.sql.exec.bind(storage.sql);
        vi.spyOn(storage.sql, "exec").mockImplementation((query, ...bindings) => {
          if (query.startsWith("INSERT INTO counter")) throw new Error("the disk is away");
          return exec(query, ...bindings);
        });
      });
    await failOnce();
    expect(await post("increment", {}, { "Idempotency-Key": "once" })).toMatchObject({
      status: 200,
      body: { count: 6 },
    });
    await failOnce();
    const { status, body } = await post("increment");
    expect(status).toBe(503);
    expect(body).toMatchObject({ detail: expect.stringContaining("Idempotency-Key") });
    expect(await value()).toEqual({ count: 6 });
  });

  it("keeps the keys of callers apart, also where anybody may count", async () => {
    const { post } = aCounter();
    const caller = async (): Promise<Record<string, string>> => ({
      Authorization: `Bearer ${(await newcomer(env)).token}`,
      "Idempotency-Key": "1",
    });
    const [ann, ben] = [await caller(), await caller()];
    expect((await post("increment", {}, ann)).body).toEqual({ count: 1 });
    expect((await post("increment", {}, ben)).body).toEqual({ count: 2 });
    expect((await post("increment", {}, ann)).body).toEqual({ count: 1 });
    // With its own token it had another key: the change would be made twice.
    const over = { ...ann, Authorization: "Bearer over" };
    expect((await post("increment", {}, over)).status).toBe(401);
  });

  it("answers nothing whose write is lost with the object", async () => {
    const { stub, post, value } = aCounter();
    await post("increment", { by: 5 });
    await runInDurableObject(stub, (_, { storage }) => {
      vi.spyOn(storage, "sync").mockRejectedValue(new Error("the disk is away"));
    });
    // The change is written and answered before the object hears of its disk; then it ends, and both are lost.
    expect((await post("increment")).status).toBe(503);
    expect(await value()).toEqual({ count: 5 });
  });
});

describe("rows written", () => {
  afterEach(() => vi.useRealTimers());

  it("is one for an increment", async () => {
    const { stub, post } = aCounter();
    await post("increment");
    const rows = await countRows(stub);
    for (let turn = 0; turn < 10; turn++) await post("increment");
    expect(rows()).toBe(10 * cost.operations.increment.ours);
  });

  it("is at most 0.1 per increment for many at once", async () => {
    const { stub } = aCounter();
    await stub.add(1);
    const rows = await countRows(stub);
    const fewest = await fewestRows(rows, () => Promise.all(Array.from({ length: 32 }, () => stub.add(1))));
    expect(fewest / 32).toBeLessThanOrEqual(cost.operations.busyIncrement.ours);
    expect(await stub.value()).toBe(321);
  });

  it("is one more with a key, none for a repetition or a read, and one a day for the sweep of old keys", async () => {
    const { stub, post, value } = aCounter();
    await post("increment", {}, { ...ADMIN, "Idempotency-Key": "the-first-of-the-day" });
    const headers = { "Idempotency-Key": "k" };
    const rows = await countRows(stub);
    await post("increment", {}, headers);
    expect(rows()).toBe(2);
    await post("increment", {}, headers);
    await value();
    expect(rows()).toBe(2);
  });

  it("is three with a key in the long run: a new key deletes one of the day before", async () => {
    stopClock();
    const { stub, post } = aCounter();
    const addTen = async (day: string) => {
      for (let turn = 0; turn < 10; turn++)
        await post("increment", {}, { ...ADMIN, "Idempotency-Key": `${day}-${turn}` });
    };
    await addTen("yesterday");
    pass(31 * HOUR);
    const rows = await countRows(stub);
    await addTen("today");
    expect(rows()).toBe(10 * cost.operations.keyedIncrement.ours);
    const keys = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec<{ count: number }>("SELECT count(*) AS count FROM replays").one(),
    );
    expect(keys).toEqual({ count: 10 });
  });
});

describe("idempotency keys", () => {
  beforeEach(() => stopClock());
  afterEach(() => vi.useRealTimers());

  it("count once, however often the call is made and whatever happens in between", async () => {
    const { stub, post, value } = aCounter();
    const headers = { "Idempotency-Key": "one" };
    const first = await post("increment", { by: 5 }, headers);
    expect(first.headers.get("Idempotent-Replayed")).toBeNull();
    await post("increment");
    const second = await post("increment", { by: 5 }, headers);
    expect(second.body).toEqual({ count: 5 });
    expect(second.headers.get("Idempotent-Replayed")).toBe("true");
    await evictDurableObject(stub);
    expect((await post("increment", { by: 5 }, headers)).body).toEqual({ count: 5 });
    expect(await value()).toEqual({ count: 6 });
  });

  it("count once when the same call comes many times at once", async () => {
    const { post, value } = aCounter();
    const headers = { "Idempotency-Key": "burst" };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("increment", { by: 2 }, headers)));
    for (const answer of answers) expect(answer.body).toEqual({ count: 2 });
    expect(await value()).toEqual({ count: 2 });
  });

  it("conflict with another step and another direction", async () => {
    const { post, value } = aCounter();
    const headers = { "Idempotency-Key": "two" };
    await post("increment", { by: 5 }, headers);
    for (const [what, json] of [
      ["increment", { by: 6 }],
      ["decrement", { by: 5 }],
    ] as const) {
      expect(await post(what, json, headers)).toMatchObject({
        status: 409,
        body: { type: "urn:problem:idempotency-conflict" },
      });
    }
    expect(await value()).toEqual({ count: 5 });
  });

  it("conflict also while the first call is being written", async () => {
    const { stub } = aCounter();
    const [first, second] = await Promise.all([stub.add(1, { key: "k" }), stub.add(2, { key: "k" })]);
    expect([first, second]).toEqual([1, { refused: "key-conflict" }]);
  });

  it("mean nothing to another counter", async () => {
    const headers = { "Idempotency-Key": "three" };
    const [one, other] = [aCounter(), aCounter()];
    await one.post("increment", { by: 5 }, headers);
    expect((await other.post("increment", { by: 6 }, headers)).body).toEqual({ count: 6 });
  });

  it("are kept for 24 hours, then forgotten and deleted", async () => {
    const { stub, post } = aCounter();
    const hour = 60 * 60 * 1000;
    const start = Date.now();
    const headers = { "Idempotency-Key": "day" };
    await post("increment", { by: 5 }, headers);
    await post("increment", { by: 1 }, { "Idempotency-Key": "other" });
    vi.setSystemTime(start + 24 * hour - 1);
    expect((await post("increment", { by: 5 }, headers)).body).toEqual({ count: 5 });
    vi.setSystemTime(start + 24 * hour);
    expect((await post("increment", { by: 5 }, headers)).body).toEqual({ count: 11 });
    vi.setSystemTime(start + 60 * hour);
    await post("increment", {}, { "Idempotency-Key": "later" });
    await post("increment", {}, { "Idempotency-Key": "latest" });
    const kept = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec<{ key: string }>("SELECT key FROM replays ORDER BY key").toArray(),
    );
    expect(kept).toEqual([{ key: "later" }, { key: "latest" }]);
  });

  it("survive a clock that goes back", async () => {
    const { post } = aCounter();
    const headers = { "Idempotency-Key": "back" };
    await post("increment", { by: 5 }, headers);
    vi.setSystemTime(Date.now() - 23 * 60 * 60 * 1000);
    expect((await post("increment", { by: 5 }, headers)).body).toEqual({ count: 5 });
  });

  it.each(["", " ", "ü", "a b", "x".repeat(256)])("are refused when they are %j", async (key) => {
    const { post } = aCounter();
    expect(await post("increment", {}, { "Idempotency-Key": key })).toMatchObject({ status: 400 });
  });
});

describe("reset", () => {
  it("needs the admin token", async () => {
    const { post, value } = aCounter();
    await post("increment", { by: 5 });
    const anonymous = await post("reset");
    expect(anonymous.status).toBe(401);
    expect(anonymous.headers.get("WWW-Authenticate")).toContain("Bearer");
    expect((await post("reset", {}, { Authorization: "Bearer guess" })).status).toBe(401);
    expect(await value()).toEqual({ count: 5 });
    expect((await post("reset", {}, ADMIN)).body).toEqual({ count: 0, reset: true });
    expect(await value()).toEqual({ count: 0 });
  });
});

describe("eventual reads", () => {
  beforeEach(() => stopClock());
  afterEach(() => vi.useRealTimers());

  const eventual = (id: string) => call(`/counter/value?id=${id}&consistency=eventual`);

  it("come from KV without a call to the object, with their age", async () => {
    const { id, stub, post } = aCounter();
    await post("increment", { by: 3 });
    const asOf = new Date().toISOString();
    expect((await eventual(id)).body).toEqual({ count: 3, asOf, age: 0 });
    await runInDurableObject(stub, (_, { storage }) => storage.sql.exec("UPDATE counter SET count = 99"));
    await evictDurableObject(stub);
    pass(2_500);
    expect((await eventual(id)).body).toEqual({ count: 3, asOf, age: 2.5 });
  });

  it("follow the count by an alarm, at most once in five seconds, which stops when the counter is idle", async () => {
    const { id, stub, post } = aCounter();
    const start = Date.now();
    await post("increment");
    await eventual(id);
    await post("increment");
    await post("increment");
    expect(await alarmOf(stub)).toBe(start + 5_000);

    await runDurableObjectAlarm(stub); // early: it only waits on
    expect(await alarmOf(stub)).toBe(start + 5_000);
    expect((await eventual(id)).body).toMatchObject({ count: 1 });

    vi.setSystemTime(start + 5_000);
    await runDurableObjectAlarm(stub);
    expect((await eventual(id)).body).toMatchObject({ count: 3, age: 0 });
    expect(await alarmOf(stub)).toBeNull();
  });

  it("cost nothing if nobody makes them: no alarm is set", async () => {
    const { stub, post } = aCounter();
    await post("increment");
    expect(await alarmOf(stub)).toBeNull();
  });

  it("are published for an hour after the last such read, and not longer", async () => {
    const { id, stub, post } = aCounter();
    await post("increment");
    await eventual(id);
    pass(59 * 60 * 1000);
    await evictDurableObject(stub);
    await post("increment");
    expect(await alarmOf(stub)).not.toBeNull();
    await runDurableObjectAlarm(stub);
    pass(2 * 60 * 1000);
    await post("increment");
    expect(await alarmOf(stub)).toBeNull();
  });

  it("go on after KV was down: the alarm comes again", async () => {
    const { id, stub, post } = aCounter();
    await post("increment");
    await eventual(id);
    pass(10_000);
    const away = vi.spyOn(env.READS, "put").mockRejectedValue(new Error("KV is away"));
    await post("increment");
    await runDurableObjectAlarm(stub);
    expect(await alarmOf(stub)).toBe(Date.now() + 5_000);
    expect(away).toHaveBeenCalledTimes(1);
    // A change does not bring it forward, nor does a reader.
    await post("increment");
    expect(await alarmOf(stub)).toBe(Date.now() + 5_000);
    await stub.share();
    expect(away).toHaveBeenCalledTimes(1);
    away.mockRestore();
    pass(5_000);
    await runDurableObjectAlarm(stub);
    expect((await eventual(id)).body).toMatchObject({ count: 3 });
  });

  it.each(["after a reader", "after a part has told its count"])(
    "leave an alarm that comes earlier, which was set before the object slept: %s",
    async (when) => {
      const { id, stub, post } = aCounter();
      await post("increment");
      await eventual(id);
      const soon = Date.now() + 12_000;
      await runInDurableObject(stub, (_, { storage }) => storage.setAlarm(soon));
      await evictDurableObject(stub);
      pass(10_000);
      const put = vi.spyOn(env.READS, "put");
      // A copy that failed is tried again in five seconds, and one that follows another is sent then.
      if (when === "after a reader") put.mockRejectedValueOnce(new Error("KV is away"));
      await stub.share();
      if (when !== "after a reader") await stub.told(1, 1);
      put.mockRestore();
      expect(await alarmOf(stub)).toBe(soon);
    },
  );

  it("do not come back after a deletion, if a copy was on its way", async () => {
    const { id, stub, post } = aCounter();
    await post("increment");
    let isHeld = true;
    const put = env.READS.put.bind(env.READS);
    const slow = vi.spyOn(env.READS, "put").mockImplementation(async (key, value, options) => {
      // An object may wait for a time, and not for a promise of the test.
      while (isHeld) await scheduler.wait(1);
      await put(key, value, options);
    });
    const read = eventual(id);
    await expect.poll(() => slow).toHaveBeenCalled();
    const deleted = stub.remove();
    const after = stub.add(1);
    expect(await Promise.race([deleted.then(() => "deleted"), scheduler.wait(20)])).toBeUndefined();
    isHeld = false;
    await Promise.all([read, deleted, after]);
    slow.mockRestore();
    expect(await env.READS.get(`dev-eu:counter:${id}`)).toBeNull();
    expect((await eventual(id)).body).toMatchObject({ count: 1 });
  });

  it("do not come back after a deletion that KV did not answer at first", async () => {
    const { id, post } = aCounter();
    await post("increment");
    await eventual(id);
    const away = vi.spyOn(env.READS, "delete").mockRejectedValueOnce(new Error("KV is away"));
    expect((await call(`/counter?id=${id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    expect(away).toHaveBeenCalledTimes(2);
    away.mockRestore();
    expect(await env.READS.get(`dev-eu:counter:${id}`)).toBeNull();
    expect((await eventual(id)).body).toMatchObject({ count: 0 });
  });

  it("come from the object while KV is down", async () => {
    const { id, post } = aCounter();
    await post("increment");
    const away = [
      vi.spyOn(env.READS, "get").mockRejectedValue(new Error("KV is away")),
      vi.spyOn(env.READS, "put").mockRejectedValue(new Error("KV is away")),
    ];
    expect(await eventual(id)).toMatchObject({ status: 200, body: { count: 1 } });
    for (const mock of away) mock.mockRestore();
  });

  it("that come at once to a counter without a copy write one copy", async () => {
    const { id, post } = aCounter();
    await post("increment");
    const put = vi.spyOn(env.READS, "put");
    const readings = await Promise.all(Array.from({ length: 17 }, () => eventual(id)));
    expect(readings.map(({ status }) => status)).toEqual(readings.map(() => 200));
    expect(put).toHaveBeenCalledTimes(1);
    put.mockRestore();
  });

  it("refuse an unknown consistency", async () => {
    expect(await call("/counter/value?consistency=weak")).toMatchObject({
      status: 400,
      body: { errors: [{ field: "consistency" }] },
    });
  });
});

/** When the object's alarm comes, if within a day; else null. */
const alarmOf = async (stub: DurableObjectStub) => {
  const at = await alarmAt(stub);
  return at !== null && at < Date.now() + DAY ? at : null;
};
const alarmAt = (stub: DurableObjectStub) => runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
const tablesOf = (stub: DurableObjectStub) =>
  runInDurableObject(stub, (_, { storage }) => storage.sql.exec("SELECT name FROM sqlite_master").toArray());

describe("what does not last", () => {
  beforeEach(() => stopClock());
  afterEach(() => vi.useRealTimers());

  it("is a counter that only unknown callers have changed, thirty days after the last change", async () => {
    const { stub, post, value } = aCounter();
    await post("increment");
    pass(20 * DAY);
    await evictDurableObject(stub);
    await post("increment");
    pass(10 * DAY);
    await runDurableObjectAlarm(stub);
    expect(await value()).toEqual({ count: 2 });
    expect(await alarmAt(stub)).toBe(Date.now() + 20 * DAY);
    pass(20 * DAY);
    await runDurableObjectAlarm(stub);
    expect(await value()).toEqual({ count: 0 });
    expect(await tablesOf(stub)).toEqual([]);
    expect(await alarmAt(stub)).toBeNull();
    expect((await post("increment")).body).toEqual({ count: 1 });
  });

  it("is such a counter also if KV fails for longer than the runtime tries an alarm again", async () => {
    const { id, stub, post } = aCounter();
    await post("increment");
    pass(31 * DAY);
    await call(`/counter/value?id=${id}&consistency=eventual`);
    const away = vi.spyOn(env.READS, "delete").mockImplementation(async () => {
      // The real call begins once all that was written before is on disk.
      await scheduler.wait(10);
      throw new Error("KV is away");
    });
    onTestFinished(() => away.mockRestore());
    await expect(runDurableObjectAlarm(stub)).rejects.toThrow("KV is away");
    // The object has ended, and with it the stub.
    const again = env.COUNTER.get(stub.id);
    expect(await alarmAt(again)).toBe(Date.now() + 60_000);
    away.mockRestore();
    await runDurableObjectAlarm(again);
    expect(await tablesOf(again)).toEqual([]);
    expect(await alarmAt(again)).toBeNull();
  });

  it("goes also if the alarm fails for longer than the runtime tries it again", async () => {
    const { stub, post } = aCounter();
    await post("increment", {}, { "Idempotency-Key": "a" });
    const rename = (from: string, to: string) =>
      runInDurableObject(stub, (_, { storage }) => void storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`));
    pass(2 * DAY);
    // As where a step of the schema fails, until a release mends it.
    await rename("replays", "away");
    await runDurableObjectAlarm(stub);
    expect(await alarmAt(stub)).toBe(Date.now() + 60_000);
    await rename("away", "replays");
    pass(60_000);
    await runDurableObjectAlarm(stub);
    expect(await alarmAt(stub)).toBe(Date.now() + 28 * DAY - 60_000);
    pass(28 * DAY);
    await runDurableObjectAlarm(stub);
    expect(await tablesOf(stub)).toEqual([]);
  });

  it("is not a counter that a known caller has changed, or that is watched", async () => {
    const [known, watched] = [aCounter(), aCounter()];
    await known.post("increment");
    await known.post("increment", {}, ADMIN);
    await known.post("increment");
    await watched.post("increment");
    const socket = await connect(`/counter/live?id=${watched.id}`);
    pass(31 * DAY);
    for (const { stub } of [known, watched]) await runDurableObjectAlarm(stub);
    expect(await known.value()).toEqual({ count: 3 });
    expect(await alarmAt(known.stub)).toBeNull();
    expect(await watched.value()).toEqual({ count: 1 });
    expect(await alarmAt(watched.stub)).toBe(Date.now() + 30 * DAY);
    socket.close();
  });

  it.each([1, 10])("is not a counter that %i change at the moment of the alarm", async (callers) => {
    const { stub, post, value } = aCounter();
    await post("increment");
    pass(31 * DAY);
    const counts = await runInDurableObject(stub, async (counter: CounterDO) => {
      const changes = Array.from({ length: callers }, () => counter.add(1, { known: false }));
      const alarm = counter.alarm();
      changes.push(counter.add(1, { known: false }));
      await alarm;
      return Promise.all(changes);
    });
    expect(counts).toEqual(Array.from({ length: callers + 1 }, (_, i) => i + 2));
    await runDurableObjectAlarm(stub);
    expect(await value()).toEqual({ count: callers + 2 });
    expect(await alarmAt(stub)).toBe(Date.now() + 30 * DAY);
  });

  it("are idempotency keys: an alarm sweeps those of yesterday", async () => {
    const { stub, post } = aCounter();
    const rowsLeft = () =>
      runInDurableObject(stub, (_, { storage }) => storage.sql.exec("SELECT key FROM replays").toArray().length);
    for (const key of ["a", "b", "c", "d"]) await post("increment", {}, { ...ADMIN, "Idempotency-Key": key });
    await runDurableObjectAlarm(stub);
    expect(await rowsLeft()).toBe(4);
    expect(await alarmAt(stub)).toBeLessThanOrEqual(Date.now() + 30 * 60 * 60 * 1_000);
    pass(30 * 60 * 60 * 1_000);
    await runDurableObjectAlarm(stub);
    expect(await rowsLeft()).toBe(0);
    expect(await alarmAt(stub)).toBeNull();
  });
});

describe("DELETE /counter", () => {
  const remove = (id: string) => call(`/counter?id=${id}`, { method: "DELETE", headers: ADMIN });

  it("deletes the count, the keys and the copy, and informs the watchers", async () => {
    const { id, stub, post, value } = aCounter();
    const once = { "Idempotency-Key": "k" };
    await post("increment", { by: 5 }, once);
    await call(`/counter/value?id=${id}&consistency=eventual`);
    const socket = await connect(`/counter/live?id=${id}`);
    expect(await socket.json()).toEqual({ count: 5 });
    for (let times = 0; times < 2; times++) expect(await remove(id)).toMatchObject({ status: 200, body: { ok: true } });
    expect(await socket.json()).toEqual({ count: 0 });
    socket.close();
    expect(await value()).toEqual({ count: 0 });
    expect(await env.READS.get(`dev-eu:counter:${id}`)).toBeNull();
    expect(await tablesOf(stub)).toEqual([]);
    expect((await post("increment", { by: 5 }, once)).body).toEqual({ count: 5 });
  });

  it("among many changes deletes those before it and none after it", async () => {
    const { stub, value } = aCounter();
    const [, , , after] = await Promise.all([
      stub.add(5, { key: "k" }),
      stub.add(5),
      stub.remove(),
      stub.add(3, { key: "l" }),
    ]);
    expect(after).toBe(3);
    await evictDurableObject(stub);
    expect(await value()).toEqual({ count: 3 });
    expect(await stub.add(3, { key: "l" })).toEqual({ replayed: 3 });
    expect(await stub.add(5, { key: "k" })).toBe(8);
  });

  it("wants an id", async () => {
    expect((await call("/counter", { method: "DELETE", headers: ADMIN })).status).toBe(400);
  });
});

describe.runIf(folders.includes("rate-limit"))("new counters", () => {
  const from = { "CF-Connecting-IP": "203.0.113.77" };
  const settings = {
    rateLimits: { default: { capacity: 1_000, periodSeconds: 60 }, create: { capacity: 3, periodSeconds: 60 } },
  };
  const count = (id: string, headers = {}) =>
    call(`/counter/increment?id=${id}`, { json: {}, headers: { ...from, ...headers }, settings });

  it("cost more: a caller who makes too many must wait, but can still use existing ones", async () => {
    const ids = Array.from({ length: 4 }, unique);
    const statuses = [];
    for (const id of [...ids, ...ids]) statuses.push((await count(id)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 200, 200, 200, 429]);
    expect((await call(`/counter/value?id=${ids[3]}`)).body).toEqual({ count: 0 });
    expect((await count(ids[3] ?? "", ADMIN)).status).toBe(200);
  });
});

/** The client's end of a socket that was opened. */
function opened({ status, webSocket }: Response): WebSocket {
  if (!webSocket) throw new Error(`No socket was opened: ${status}`);
  return webSocket;
}

describe("the live socket", () => {
  it("gets the count at once, and when it changes", async () => {
    const { id, post } = aCounter();
    await post("increment", { by: 4 });
    const socket = await connect(`/counter/live?id=${id}`);
    expect(await socket.json()).toEqual({ count: 4 });
    await post("increment");
    expect(await socket.json()).toEqual({ count: 5 });
  });

  it("gets many changes in few frames, the last of which is right", async () => {
    const { id, stub } = aCounter();
    const socket = await connect(`/counter/live?id=${id}`);
    expect(await socket.json()).toEqual({ count: 0 });
    const begin = Date.now();
    // One after the other: many at once are few writes.
    for (let turn = 0; turn < 50; turn++) await stub.add(1);
    let frames = 0;
    for (let last: unknown; JSON.stringify(last) !== '{"count":50}'; frames++) last = await socket.json();
    expect(frames).toBeLessThanOrEqual(2 + (Date.now() - begin) / 100);
  });

  it("works after the object slept", async () => {
    const { id, stub, post } = aCounter();
    const socket = await connect(`/counter/live?id=${id}`);
    await socket.json();
    await post("increment");
    expect(await socket.json()).toEqual({ count: 1 });
    await evictDurableObject(stub, { webSockets: "hibernate" });
    await post("increment");
    expect(await socket.json()).toEqual({ count: 2 });
  });

  it("still informs the others after one has gone", async () => {
    const { id, post } = aCounter();
    const [leaving, staying] = [await connect(`/counter/live?id=${id}`), await connect(`/counter/live?id=${id}`)];
    await Promise.all([leaving.json(), staying.json()]);
    leaving.close();
    await post("increment");
    expect(await staying.json()).toEqual({ count: 1 });
    expect(await leaving.closed).toBe(1000);
  });

  it("answers ping, and closes on any other message", async () => {
    const socket = await connect(`/counter/live?id=${unique()}`);
    await socket.json();
    socket.send("ping");
    expect(await socket.text()).toBe("pong");
    socket.send(JSON.stringify({ count: 1_000 }));
    expect(await socket.closed).toBe(1008);
  });

  it("is limited for each network address, and a closed one frees its place", async () => {
    const { id, stub } = aCounter();
    const address = "203.0.113.5";
    const sockets = await Promise.all(
      Array.from({ length: 250 }, async () => new Socket(opened(await stub.fetch(watchRequest(address))))),
    );
    const knock = () =>
      fetchApp(`/counter/live?id=${id}`, { headers: { Upgrade: "websocket", "CF-Connecting-IP": address } });
    const refused = await knock();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("Retry-After")).toBe("10");
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("connections to this counter") });
    const other = await connect(`/counter/live?id=${id}`);
    expect(await other.json()).toEqual({ count: 0 });
    sockets[0]?.close();
    await sockets[0]?.closed;
    sockets.push(new Socket(opened(await knock())));
    for (const socket of sockets) socket.close();
  });

  it("of a full counter goes to others if nothing was heard of its client for minutes", async () => {
    stopClock(Date.now() - 10 * 60_000);
    onTestFinished(() => void vi.useRealTimers());
    const { stub } = aCounter();
    const watch = async (address: number) => stub.fetch(watchRequest(`10.0.0.${address}`));
    const [pinging, ...silent] = await Promise.all(
      Array.from({ length: 1_000 }, async (_, i) => new Socket(opened(await watch(i % 5)))),
    );
    await pinging?.text();
    const refused = await watch(6);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("Retry-After")).toBe("60");
    vi.useRealTimers();
    pinging?.send("ping");
    expect(await pinging?.text()).toBe("pong");
    const newcomer = new Socket(opened(await watch(6)));
    expect(new Set(await Promise.all(silent.map(({ closed }) => closed)))).toEqual(new Set([1013]));
    await stub.add(1);
    for (const socket of [pinging, newcomer]) {
      await expect.poll(() => socket?.text()).toBe('{"count":1}');
      socket?.close();
    }
  });

  it("needs an upgrade: other requests get 426", async () => {
    const answer = await call("/counter/live");
    expect(answer.status).toBe(426);
    expect(answer.headers.get("Upgrade")).toBe("websocket");
  });

  it("is refused to the pages of other origins", async () => {
    const headers = { Upgrade: "websocket", Origin: "https://elsewhere.example" };
    expect((await call("/counter/live", { headers })).status).toBe(403);
  });
});
