/** Which versions cannot serve again, because something else changed the classes since. */
import { describe, expect, it } from "vitest";
import {
  changedByOthers,
  changedInTags,
  type Declaring,
  servableTag,
} from "../../infra/plan/live/changed-by-others.ts";
import { readWorker } from "../../infra/plan/live/worker.ts";
import { nextOf } from "../../infra/plan/traffic/next.ts";
import { preview, readsOf } from "./preview.ts";

const DIGEST = "a".repeat(64);
const TAG = `${"a".repeat(12)}-1`;
const made = (number: number, tag: string | undefined, ...names: readonly string[]): Declaring => ({
  number,
  tag,
  digest: tag === undefined ? undefined : DIGEST,
  classes: new Map(names.map((name) => [name, { storage: "sqlite" }])),
});
const ours = (number: number, ...names: readonly string[]) => made(number, TAG, ...names);
const other = (number: number, ...names: readonly string[]) => made(number, undefined, ...names);
/** Deployments, the oldest first. */
const changedIn = (...versions: readonly Declaring[]) =>
  changedByOthers(versions.toReversed().map((version) => [version]));

describe("the classes that something else has changed", () => {
  it("are found by the deployments, also where they are as before", () => {
    expect(changedIn(ours(1, "A"), other(2, "A", "B"))).toBe(2);
    expect(changedIn(ours(1, "A"), other(2, "A", "B"), other(3, "A"))).toBe(3);
    expect(changedIn(ours(1, "A"), other(2, "A", "B"), ours(3, "A", "B"))).toBe(2);
    expect(changedIn(ours(1, "A"), other(2, "A"), ours(1, "A"))).toBeUndefined();
  });

  it("are not those of our own steps, of a wait, or of a version that lists none", () => {
    expect(changedIn(ours(1, "A"), ours(2, "A", "B"))).toBeUndefined();
    const waiting: Declaring = {
      ...other(2),
      classes: new Map([...ours(1, "A").classes, ["B", { storage: "sqlite", fromWorker: "bank" }]]),
    };
    expect(changedIn(ours(1, "A"), waiting)).toBeUndefined();
    expect(changedIn(ours(1, "A"), other(2), ours(1, "A"))).toBeUndefined();
  });

  it("are told by the tags of our versions, where the deployments of then are listed no more", () => {
    const versions = [made(9, `${TAG}-7`), made(4, `${TAG}-3`), other(3), ours(1)];
    expect(changedInTags(versions)).toBe(7);
    expect(servableTag(TAG, versions, changedInTags(versions))).toBe(`${TAG}-7`);
    expect(changedInTags([other(3), ours(1)])).toBeUndefined();
    expect(changedInTags([{ ...made(4, `${TAG}-3`), digest: undefined }]), "another's").toBeUndefined();
  });

  it("make the release a version once more, whose tag stays", () => {
    expect(servableTag(TAG, [ours(1, "A")], undefined)).toBe(TAG);
    expect(servableTag(TAG, [other(3), ours(1, "A")], 3)).toBe(`${TAG}-3`);
    expect(servableTag(TAG, [made(4, `${TAG}-3`), other(3), ours(1)], 3)).toBe(`${TAG}-3`);
    expect(servableTag(TAG, [made(4, `${TAG}-3`), ours(1)], 6)).toBe(`${TAG}-6`);
    expect(servableTag(TAG, [other(3)], 3)).toBe(TAG);
    expect(servableTag(TAG, [ours(4), other(3)], 3)).toBe(TAG);
  });
});

describe("a share of the traffic after such a change", () => {
  const { release, settings, live } = preview();
  const foreign = { versionId: "v-6", number: 6, tag: undefined, digest: undefined, percentage: 100 };
  const [, ours] = live.versions;
  if (!ours) throw new Error("the preview has a version that served before");
  const changed = { ...live, changedByOthers: 6, serving: [foreign], servedLast: [{ ...ours, percentage: 100 }] };
  const atHand = { known: undefined, secrets: undefined };
  const trafficOf = (more: Partial<typeof settings>) =>
    nextOf(release, { ...settings, ...more }, changed, atHand).deploy.traffic;

  it.each([
    [{ rollout: 0 }, 0],
    [{ rollout: 0, rolloutTrial: true }, 0.01],
    [{ rollout: 10 }, 10],
  ])("of %j is refused: there is no version for the rest, and the release does not get all of it", (more, share) => {
    expect(trafficOf(more)).toEqual({
      release: share,
      findings: [
        expect.objectContaining({
          code: "lifecycle_needs_full_rollout",
          subject: `rollout ${share}`,
          message: expect.stringContaining("something else changed the classes with version 6"),
          fix: expect.stringContaining("set rollout to 100"),
        }),
      ],
    });
  });

  it("is not in the way of a release that is to have all of it", () => {
    expect(trafficOf({ rollout: 100 })).toEqual({ release: 100, findings: [] });
  });
});

it("is the rollback floor, too, once the deployments of then are listed no more", async () => {
  const record = JSON.stringify({ digest: DIGEST, migration: "0001-create", history: "h" });
  const version = (number: number, tag: string) => ({
    id: `v${number}`,
    number,
    annotations: { workersTag: tag },
    bindings: [{ name: "RELEASE", json: record }],
    exports: { A: { type: "durable-object", storage: "sqlite" } },
  });
  const again = version(4, `${TAG}-3`);
  const versions = [{ id: "v5", number: 5 }, again, { id: "v3", number: 3 }, version(1, TAG)];
  expect(await readWorker(readsOf(versions, again), "w")).toMatchObject({ changedByOthers: 3, rollbackFloor: 3 });
});
