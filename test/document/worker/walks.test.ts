/** The steps of a merge: they are counted as Yjs takes them, and neither a merge nor a load takes too many. */
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { Copy } from "../../../worker/document/copy.ts";
import { counted, stepsAgain, TooManySteps } from "../../../worker/document/walks.ts";
import { updateOf } from "../client.ts";
import { after, chain, walkers } from "./tangle.ts";

const merging = (doc: Y.Doc, ...updates: Uint8Array[]) =>
  counted(Number.POSITIVE_INFINITY, () => {
    for (const update of updates) Y.applyUpdate(doc, update);
  });

/** People who have the same text, and each type at one place of it without the others. */
function apart(people: number, type: (text: Y.Text) => void): Uint8Array[] {
  const base = new Y.Doc();
  base.getText("text").insert(0, "beginning end");
  const state = Y.encodeStateAsUpdate(base);
  const updates = Array.from({ length: people }, () => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, state);
    const before = Y.encodeStateVector(doc);
    type(doc.getText("text"));
    return Y.encodeStateAsUpdate(doc, before);
  });
  return [state, ...updates];
}

describe("the steps of a merge", () => {
  it("are none for somebody who types", () => {
    const doc = new Y.Doc();
    const typed: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => typed.push(update));
    for (const at of [0, 1, 2, 1, 0, 4]) doc.getText("text").insert(at, "ab");
    doc.getMap("map").set("key", 1);
    doc.getMap("map").set("key", 2);
    expect(merging(new Y.Doc(), ...typed)).toBe(0);
  });

  it("are the edits that lie between the neighbours of one", () => {
    const doc = new Y.Doc();
    merging(doc, chain(2, 10));
    // Before the first, which nine others were put in front of; and before the first and that one.
    expect(merging(doc, walkers(1, 2, [0, 1]), walkers(1, 2, [1, 2]))).toBe(9 + 1);
    // After the first, where nobody else was.
    expect(merging(doc, after(3, 2, 0))).toBe(0);
  });

  it("end the merge before there are too many", () => {
    const doc = new Y.Doc();
    merging(doc, chain(2, 100));
    expect(() => counted(500, () => merging(doc))).not.toThrow();
    expect(() => counted(500, () => Y.applyUpdate(doc, walkers(1, 2, [0, 100])))).toThrow(TooManySteps);
  });

  it("include those to the first value of a key", () => {
    const docs = Array.from({ length: 50 }, (_, i) => {
      const doc = new Y.Doc();
      doc.clientID = i + 1;
      doc.getMap("map").set("key", i);
      return Y.encodeStateAsUpdate(doc);
    });
    expect(merging(new Y.Doc(), ...docs)).toBeGreaterThan(50 * 20);
  });
});

describe("the steps of the same merge in another order", () => {
  it("are none for edits that lie alone, and may be many for others", () => {
    const copy = new Y.Doc();
    const doc = new Y.Doc();
    const typed: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => typed.push(update));
    for (const at of [0, 2, 4, 1, 0, 3]) doc.getText("text").insert(at, "ab");
    const again = typed.map((update) => {
      Y.applyUpdate(copy, update);
      return stepsAgain(copy, update);
    });
    expect(again).toEqual(typed.map(() => 0));
    const attack = walkers(1, 2, [0, 10]);
    const tangled = new Y.Doc();
    merging(tangled, chain(2, 10), attack);
    expect(stepsAgain(tangled, attack)).toBeGreaterThanOrEqual(merging(new Y.Doc(), chain(2, 10), attack));
  });
});

/** The steps of a merge in these tests: with all that a document takes, they would take a minute. */
const MOST = 40_000;

describe("a copy", () => {
  it("refuses edits that walk too far, and takes those that came with them", () => {
    const copy = new Copy(() => [], MOST);
    const before = copy.take([chain(2, 400)]).news;
    const { taken } = copy.take([updateOf("fine"), walkers(1, 2, [0, 400]), updateOf("too")], before);
    expect(taken).toEqual(["taken", "tangled", "taken"]);
    expect(copy.doc.getText("text").length).toBe(407);
  });

  it("is loaded only a few times for many updates that cannot be merged", () => {
    let loads = 0;
    const copy = new Copy(() => {
      loads++;
      return [];
    });
    // An edit beside one that the same client has not made yet.
    const bad = new Uint8Array([1, 1, 5, 0, 0x84, 5, 9, 1, 120, 0]);
    const { taken } = copy.take([updateOf("fine"), ...Array.from({ length: 50 }, () => bad), updateOf("late")]);
    expect([taken[0], taken[1], taken.at(-1)]).toEqual(["taken", "malformed", "untried"]);
    expect(loads).toBeLessThan(10);
    expect(copy.take([updateOf("late")]).taken).toEqual(["taken"]);
    expect(copy.doc.getText("text").length).toBe(8);
  });

  it("is loaded once for one update that cannot be merged, when it is needed", () => {
    let loads = 0;
    const stored = updateOf("fine");
    const copy = new Copy(() => {
      loads++;
      return [stored];
    });
    const bad = new Uint8Array([1, 1, 5, 0, 0x84, 5, 9, 1, 120, 0]);
    expect(copy.take([bad]).taken).toEqual(["malformed"]);
    expect(loads).toBe(1);
    expect(copy.doc.getText("text").toString()).toBe("fine");
    expect(loads).toBe(2);
    const unstored = copy.change((doc) => doc.getText("text").insert(0, "more than "));
    expect(copy.take([new Uint8Array([7]), bad], unstored).taken).toEqual(["malformed", "malformed"]);
    expect(copy.doc.getText("text").toString()).toBe("more than fine");
    expect(loads).toBe(3);
  });

  it("takes thousands of small updates that all walk, once it is compacted in between", () => {
    let stored: Uint8Array[] = [];
    const copy = new Copy(() => stored, MOST);
    const outcomes = new Set<string | undefined>();
    for (let client = 1; client <= 360; client++) {
      const { taken, news } = copy.take([chain(client, 1)]);
      outcomes.add(taken[0]);
      stored.push(...news);
      if (!copy.isTangled) continue;
      const state = copy.state();
      expect(copy.mayBecome(state)).toBe(true);
      stored = [state];
      expect(copy.isTangled).toBe(false);
    }
    expect(outcomes).toEqual(new Set(["taken"]));
    expect(stored.length).toBeLessThan(360);
    expect(merging(new Y.Doc(), ...stored)).toBeLessThan(3 * MOST);
  });

  it("is loaded in few enough steps after such edits came in portions", () => {
    const stored: Uint8Array[] = [];
    const copy = new Copy(() => stored, MOST);
    stored.push(...copy.take([chain(2, 400)]).news);
    const outcomes = new Set<string | undefined>();
    for (let from = 0; from < 400 && !outcomes.has("tangled"); from += 60) {
      const { taken, news } = copy.take([walkers(1, 2, [from, from + 60])]);
      outcomes.add(taken[0]);
      stored.push(...news);
    }
    expect(outcomes).toEqual(new Set(["taken", "tangled"]));
    expect(merging(new Y.Doc(), ...stored)).toBeLessThan(3 * MOST);
  });

  it("takes what a hundred people typed at one place without the others", () => {
    const copy = new Copy(() => []);
    const updates = apart(100, (text) => {
      for (let i = 0; i < 200; i++) text.insert(text.length - 4 - (i % 3), "x");
    });
    expect(new Set(copy.take(updates).taken)).toEqual(new Set(["taken"]));
    expect(copy.doc.getText("text").length).toBe(13 + 100 * 200);
  });
});
