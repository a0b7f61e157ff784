/** Which versions can serve again after steps of our own: those since the classes last changed. */
import { expect, it } from "vitest";
import { readWorker } from "../../infra/plan/live/worker.ts";
import { readsOf } from "./preview.ts";

const DIGEST = "a".repeat(64);
const TAG = `${"a".repeat(12)}-1`;
interface Made {
  readonly step: string;
  /** The classes that it declares; undefined: it lists none. */
  readonly classes?: readonly string[];
  /** The class that waits for its objects. */
  readonly waiting?: string;
  /** Whether something else has made it from one of ours. */
  readonly isDerived?: boolean;
  /** The id of Room's namespace. */
  readonly namespaceId?: string;
  /** The tables of Room. */
  readonly steps?: readonly string[];
}

/** How many steps of Room's tables code needs that meets all of these. */
const NEEDED = 2;

/** The way back of a Worker with these versions, the oldest first: the newest serves. */
async function wayBack(...made: readonly Made[]) {
  const versions = made
    .map(({ step, classes = [], waiting, isDerived = false, namespaceId = "n1", steps }, index) => {
      const schemas = steps && { Room: { steps, needs: Math.min(steps.length, NEEDED) } };
      return {
        id: `v${index + 1}`,
        number: index + 1,
        annotations: isDerived ? {} : { workersTag: TAG },
        bindings: [
          { name: "RELEASE", json: JSON.stringify({ digest: DIGEST, migration: step, history: "h", schemas }) },
          { name: "ROOM", type: "durable_object_namespace", className: "Room", namespaceId },
        ],
        exports: Object.fromEntries(
          classes.map((name) => [
            name,
            { type: "durable-object", storage: "sqlite", ...(name === waiting && { transferFrom: "bank" }) },
          ]),
        ),
      };
    })
    .toReversed();
  return (await readWorker(readsOf(versions, versions[0]), "w")).rollbackFloor;
}

const ROOM = ["Room"];
const WITH_JOBS = ["Room", "Jobs"];

it("a release whose new steps cancel out keeps the way back", async () => {
  expect(await wayBack({ step: "0002", classes: ROOM }, { step: "0004", classes: ROOM })).toBe(1);
  expect(await wayBack({ step: "0002", classes: WITH_JOBS }, { step: "0004", classes: ["Jobs", "Room"] })).toBe(1);
});

it("steps that were live by themselves are a change, also where the classes are as before it", async () => {
  const versions = [
    { step: "0002", classes: ROOM },
    { step: "0003", classes: WITH_JOBS },
    { step: "0004", classes: ROOM },
  ];
  expect(await wayBack(...versions)).toBe(3);
  expect(await wayBack(...versions, { step: "0006", classes: ROOM })).toBe(3);
  expect(await wayBack(...versions.slice(0, 2))).toBe(2);
});

it("a class that has got its name anew is a change, whatever was between", async () => {
  const anew = { step: "0004", classes: ROOM, namespaceId: "n2" };
  expect(await wayBack({ step: "0002", classes: ROOM }, anew)).toBe(2);
});

it("a class that waits for its objects is a change, too: it may have come since", async () => {
  const waiting = { step: "0003", classes: WITH_JOBS, waiting: "Jobs" };
  expect(await wayBack({ step: "0002", classes: ROOM }, waiting)).toBe(2);
  expect(await wayBack(waiting, { step: "0003", classes: WITH_JOBS })).toBe(1);
  expect(await wayBack({ step: "0001", classes: WITH_JOBS }, waiting)).toBe(2);
});

it("versions that list no classes are told by their step alone", async () => {
  expect(await wayBack({ step: "0002" }, { step: "0004" })).toBe(2);
  expect(await wayBack({ step: "0004" }, { step: "0004", classes: ROOM })).toBe(1);
});

it("what something else has made from one of ours is no change of our steps", async () => {
  const derived = { step: "0003", isDerived: true };
  expect(await wayBack({ step: "0002", classes: ROOM }, derived, { step: "0004", classes: ROOM })).toBe(1);
});

it("tables still raise the floor among them", async () => {
  const [first, second] = [
    { step: "0002", classes: ROOM, steps: ["a"] },
    { step: "0004", classes: ROOM, steps: ["a", "b"] },
  ];
  expect(await wayBack(first, second)).toBe(2);
  expect(await wayBack(first, { ...second, steps: ["a"] })).toBe(1);
});
