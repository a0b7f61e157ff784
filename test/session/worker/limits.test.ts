/** Users at the rate limiter: a user who has logged in has a bucket of their own. */

import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { patterns } from "../../../worker/patterns.ts";
import { SessionDO } from "../../../worker/session/session.ts";
import { stopClock } from "../../worker/clock.ts";
import { call, unique } from "../../worker/helpers.ts";
import { logIn } from "../../worker/log-in.ts";

type Headers = Record<string, string>;

const folders: readonly string[] = patterns.map(({ folder }) => folder);

let addresses = 0;
/** An address that no other test has used. */
const newAddress = (): Headers => ({ "CF-Connecting-IP": `198.51.100.${++addresses}` });

const asGuest = () => logIn(unique(), { headers: {}, settings: { demoLogin: true } });
const take = (cost: number, headers: Headers) => call("/limit/check", { json: { cost }, headers });
const left = async (headers: Headers) =>
  v.parse(v.object({ remaining: v.number() }), (await call("/limit", { headers })).body).remaining;

// A guess comes back every three seconds, and a bucket refills too.
beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe.runIf(folders.includes("rate-limit"))("a user", () => {
  it("has a bucket of their own, which others at the address do not use, and the same from every address", async () => {
    const [office, home] = [newAddress(), newAddress()];
    const [ann, ben] = [await logIn(), await logIn()];
    expect((await take(60, { ...office, ...ann })).status).toBe(200);
    expect((await take(60, { ...office, ...ben })).status).toBe(200);
    expect(await left({ ...home, ...ann })).toBe(40);
    expect(await left(office)).toBe(100);
  });

  it("who is a guest pays as their address, and so does a caller with a dead token", async () => {
    const from = newAddress();
    const guest = await asGuest();
    await take(50, { ...from, ...guest });
    await take(20, { ...from, Authorization: `Bearer eu~${"d".repeat(43)}` });
    expect(await left(from)).toBe(30);
  });

  it("is looked up once, and guessed tokens twenty times per address, even if many come at once", async () => {
    const [from, office] = [newAddress(), newAddress()];
    const ann = await logIn();
    const read = vi.spyOn(SessionDO.prototype, "read");
    for (let i = 0; i < 3; i++) await left({ ...office, ...ann });
    expect(read).toHaveBeenCalledTimes(1);
    read.mockClear();
    const guesses = Array.from({ length: 300 }, (_, i) => `Bearer eu~${String(i).padStart(43, "g")}`);
    await Promise.all(guesses.map((Authorization) => call("/limit", { headers: { ...from, Authorization } })));
    expect(read.mock.calls.length).toBe(20);
  });

  it("pays for many requests at once, and for the first ones", async () => {
    const [office, ann] = [newAddress(), await logIn()];
    await Promise.all(Array.from({ length: 50 }, () => call("/openapi.json", { headers: { ...office, ...ann } })));
    expect(await left({ ...office, ...ann })).toBe(50);
    expect(await left(office)).toBe(100);
  });

  it("gets its token looked up 50 times for a guess, if it is not valid", async () => {
    const read = vi.spyOn(SessionDO.prototype, "read");
    const wrong = { ...newAddress(), Authorization: `Bearer eu~${"w".repeat(43)}` };
    await Promise.all(Array.from({ length: 1_100 }, () => call("/openapi.json", { headers: wrong })));
    expect(read.mock.calls.length).toBe(1_000);
  });

  it("gives an address its guesses back, and a guest only the guess that it was taken for", async () => {
    const [ann, guest] = [await logIn(), await asGuest()];
    const read = vi.spyOn(SessionDO.prototype, "read");
    let guessed = 0;
    const guess = async (from: Headers, times: number) => {
      read.mockClear();
      for (let i = 0; i < times; i++) {
        await left({ ...from, Authorization: `Bearer eu~${String(guessed++).padStart(43, "h")}` });
      }
      return read.mock.calls.length;
    };
    for (const [shown, times, then] of [
      [ann, 1, 20],
      [guest, 1, 1],
      [await asGuest(), 50, 1],
    ] as const) {
      const from = newAddress();
      expect(await guess(from, 19)).toBe(19);
      await Promise.all(Array.from({ length: times }, () => left({ ...from, ...shown })));
      expect(await guess(from, 25)).toBe(then);
    }
  });
});
