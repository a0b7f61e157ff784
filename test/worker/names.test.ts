/** Names of objects: property tests, and the answers to HTTP callers with invalid ids. */
import { describe, expect, it } from "vitest";
import type { Regions } from "../../contract/regions.ts";
import { formatId, MAX_ID_BYTES, nearestRegion, objectName, parseId } from "../../worker/objects/names.ts";
import { fc } from "../properties.ts";
import { unique } from "./helpers.ts";
import { callSample } from "./sample.ts";

const table: Regions = {
  environmentPrefix: "test-",
  home: "eu",
  regions: [
    { id: "eu", prefix: "e", locationHint: "weur", continents: ["EU", "AF"] },
    { id: "us", prefix: "u", locationHint: "enam", continents: ["NA", "SA"] },
    { id: "eu-law", prefix: "el", locationHint: "weur", jurisdiction: "eu", continents: [] },
  ],
};
const [home, us, law] = table.regions;

const regionIds = fc.constantFrom(...table.regions.map(({ id }) => id));
const ids = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  .filter((id) => id === id.normalize("NFC") && "place" in parseId(table, id));

describe("an id", () => {
  it("is unchanged after formatting and parsing, in its region", () => {
    fc.assert(
      fc.property(regionIds, ids, (region, id) => {
        const written = `${region}~${id}`;
        const parsed = parseId(table, written);
        expect("place" in parsed && parsed.place).toMatchObject({ region: { id: region }, id });
        expect("place" in parsed && formatId(parsed.place)).toBe(written);
      }),
    );
  });

  it("is in the home region if it names no region", () => {
    fc.assert(
      fc.property(ids, (id) => {
        expect(parseId(table, id)).toEqual({ place: { region: home, id } });
      }),
    );
  });

  it("gives each region, pattern and id an object of its own", () => {
    const places = fc.record({ region: fc.constantFrom(...table.regions), id: ids });
    const patterns = fc.constantFrom("board", "post", "vote");
    fc.assert(
      fc.property(places, patterns, places, patterns, (one, pattern, other, otherPattern) => {
        const same = one.region === other.region && one.id === other.id && pattern === otherPattern;
        expect(objectName(table, pattern, one) === objectName(table, otherPattern, other)).toBe(same);
      }),
    );
  });

  it("never makes a name that is too long for a Durable Object to learn", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 700 }), (written) => {
        const parsed = parseId(table, written);
        if ("fault" in parsed) return;
        const bytes = new TextEncoder().encode(objectName(table, "board", parsed.place)).byteLength;
        expect(bytes).toBeLessThanOrEqual(512);
      }),
    );
  });

  it.each([
    ["", "the id is empty"],
    ["eu~", "the id is empty"],
    ["~lobby", 'there is no region ""'],
    ["mars~lobby", 'there is no region "mars"; there are: eu, us, eu-law'],
    ["EU~lobby", 'there is no region "EU"'],
    ["eu~us~lobby", 'at most one "~"'],
    ["eu~a:b", 'contains ":"'],
    ["a\u0000b", "cannot be seen"],
    ["a\nb", "cannot be seen"],
    ["a\u2028b", "cannot be seen"],
    ["a\u202Eb", "cannot be seen"],
    ["a\u200Bb", "cannot be seen"],
    ["a\u200Fb", "cannot be seen"],
    ["\uFEFFab", "cannot be seen"],
    ["a\u200Db", "cannot be seen"],
    ["lobby\u3164", "cannot be seen"],
    ["lobby\u034F", "cannot be seen"],
    ["lobby\u2800", "cannot be seen"],
    ["lobby\uFE0F", "cannot be seen"],
    ["❤\uFE0F\uFE0F", "cannot be seen"],
    ["\ud800", "not valid Unicode"],
    [" lobby", "white space"],
    ["lobby ", "white space"],
    ["x".repeat(MAX_ID_BYTES + 1), `${MAX_ID_BYTES + 1} bytes`],
    ["ü".repeat(MAX_ID_BYTES / 2 + 1), `${MAX_ID_BYTES + 2} bytes`],
  ])("is refused when it is %j", (written, fault) => {
    const parsed = parseId(table, written);
    expect("fault" in parsed && parsed.fault).toContain(fault);
  });

  it("means the same object in every Unicode composition", () => {
    expect(parseId(table, "cafe\u0301")).toEqual(parseId(table, "caf\u00e9"));
  });

  it("may be as long as the limit, and have any script and any emoji", () => {
    for (const id of ["x".repeat(MAX_ID_BYTES), "ロビー", "👨‍👩‍👧", "❤️", "❤️‍🔥", "1️⃣", "a b", "a/b", "100%"]) {
      expect(parseId(table, `us~${id}`)).toEqual({ place: { region: us, id } });
    }
  });
});

describe("a new id", () => {
  it("goes to the region that claims the caller's continent, else home", () => {
    expect(nearestRegion(table, "SA")).toBe(us);
    expect(nearestRegion(table, "AF")).toBe(home);
    expect(nearestRegion(table, "OC")).toBe(home);
    expect(nearestRegion(table, undefined)).toBe(home);
  });
});

describe("a caller", () => {
  it.each(["mars~x", "eu~us~x", "a%3Ab", "%00", "%FF", "a%0Ab", "x".repeat(1_025), ""])(
    "who sends the id %j gets 400 with a reason, and no object is called",
    async (id) => {
      const answer = await callSample(`/sample?id=${id}`);
      expect(answer).toMatchObject({ status: 400, body: { type: "urn:problem:invalid-input", status: 400 } });
    },
  );

  it("who gives an id twice gets 400", async () => {
    expect(await callSample("/sample?id=a&id=b")).toMatchObject({ status: 400, body: { errors: [{ field: "id" }] } });
  });

  it("reaches a region with a jurisdiction, and not its namesake without one", async () => {
    const id = unique();
    const regions = { ...table, regions: [home, us, law] };
    const named = (written: string) => callSample(`/sample?id=${written}`, { regions });
    const bodies = await Promise.all([`eu-law~${id}`, `eu-law~${id}`, `eu~${id}`].map(named));
    const [there, again, namesake] = bodies.map(({ status, body }) => ({ status, ...Object(body) }));
    expect(there).toEqual({ status: 200, object: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(again).toEqual(there);
    expect(namesake.object).not.toBe(there.object);
  });
});
