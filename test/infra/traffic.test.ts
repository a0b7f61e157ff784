/** The traffic: rollouts, pins, drift; and the settings file that commands change. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  beginsWithout,
  deployedLast,
  deploymentMessage,
  isForced,
  isWayBack,
  pinnedBy,
  refusalNote,
  versionMessage,
} from "../../infra/plan/live/messages.ts";
import { isOurs, servedLast } from "../../infra/plan/live/ours.ts";
import type { KnownVersion, Observed } from "../../infra/plan/live/version.ts";
import { type Finding, isError } from "../../infra/plan/rules/codes.ts";
import { trafficDrift } from "../../infra/plan/traffic/drift.ts";
import { endedPin, pinned, whyNot } from "../../infra/plan/traffic/pin.ts";
import { servesAsWanted, shareOf, split } from "../../infra/plan/traffic/split.ts";
import { ROOT } from "../../infra/release/root.ts";
import { fullKey } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { scratch } from "../scratch.ts";

/** The tag of the release of version `number`. */
const tagOf = (number: number) => `${"d".repeat(12)}-${number}`;
const version = (number: number, more: Partial<KnownVersion> = {}): KnownVersion => ({
  versionId: `v${number}`,
  number,
  tag: tagOf(number),
  digest: "d".repeat(64),
  source: "api",
  bindings: [],
  ...more,
});
const serves = (shares: Readonly<Record<number, number>>, tags: Readonly<Record<number, string>> = {}) =>
  Object.entries(shares).map(([number, percentage]) => ({
    versionId: `v${number}`,
    number: Number(number),
    percentage,
    tag: tags[Number(number)] ?? `t${number}`,
  }));
const codes = (findings: readonly Finding[]) => findings.map(({ code }) => code);

describe("a rollout", () => {
  it("splits between the release and the stable version, with the same result when asked again", () => {
    const first = split(serves({ 1: 100 }), "t2", 10);
    expect(first).toEqual({ release: 10, stable: { versionId: "v1", percentage: 90 }, findings: [] });
    expect(split([...serves({ 2: 10 }), ...serves({ 1: 90 })], "t2", 10)).toEqual(first);
  });

  it("refuses a third release, unless it is to get no traffic: then the stable one of the two gets all", () => {
    const [one, two] = [serves({ 1: 90 }), serves({ 2: 10 })];
    expect(codes(split([...two, ...one], "t3", 10).findings)).toEqual(["rollout_unfinished"]);
    const abandoned = split([...two, ...one], "t3", 0);
    expect(abandoned).toMatchObject({ release: 0, stable: { versionId: "v1", percentage: 100 } });
    expect(codes(abandoned.findings)).toEqual(["release_without_traffic"]);
    // The older one was rolled out over the newer one.
    expect(split([...one, ...two], "t3", 0)).toMatchObject({ stable: { versionId: "v2", percentage: 100 } });
  });

  it("is abandoned for the version that was stable, with its own release at hand too, and then stays so", () => {
    const serving = [...serves({ 2: 10 }), ...serves({ 1: 90 })];
    for (const tag of ["t1", "t2", "t3"]) {
      const first = split(serving, tag, 0);
      expect(first, tag).toMatchObject({ release: 0, stable: { versionId: "v1", percentage: 100 } });
      expect(codes(first.findings)).toEqual(["release_without_traffic"]);
      expect(split(serves({ 1: 100 }), tag, 0), tag).toEqual(first);
      // A token that has leaked is valid there as before, whatever the settings say by now.
      expect(first.findings[0]?.message, tag).toMatch(/stays with .*, with the secrets of its time\.$/);
    }
  });

  it("does not take the version that is tried for the stable one, where that one's release is at hand again", () => {
    const serving = [...serves({ 2: 10 }), ...serves({ 1: 90 })];
    const found = split(serving, "t1", 10).findings;
    expect(codes(found)).toEqual(["rollout_unfinished"]);
    expect(found[0]?.message).toContain("the release at hand is the stable one");
    expect(split(serving, "t1", 100)).toEqual({ release: 100, findings: [] });
  });

  it("gives the release all traffic if there is no other version, and says so", () => {
    for (const serving of [[], serves({ 2: 100 })]) {
      const { release, findings } = split(serving, "t2", 10);
      expect([release, codes(findings)]).toEqual([100, ["rollout_without_stable"]]);
    }
  });
});

describe("the share of a release", () => {
  const [old, release] = ["a".repeat(64), "b".repeat(64)];
  const versions = [
    { versionId: "v2", digest: release },
    { versionId: "v1", digest: old },
  ];
  const stable = (versionId: string, percentage: number) => ({ stable: { versionId, percentage } });

  it("is the sum of all its versions", () => {
    expect(shareOf(release, release, { release: 100, findings: [] }, versions)).toBe(100);
    expect(shareOf(release, release, { release: 10, ...stable("v1", 90), findings: [] }, versions)).toBe(10);
    // Another setting with the same release: callers get the same code.
    expect(shareOf(release, release, { release: 10, ...stable("v2", 90), findings: [] }, versions)).toBe(100);
    expect(shareOf(old, release, { release: 0, ...stable("v1", 100), findings: [] }, versions)).toBe(100);
  });
});

describe("a pin", () => {
  const versions = [version(4, { digest: undefined }), version(3), version(2), version(1)];
  const pin = (number: number) => ({ stack: "staging", pin: number, versions, serving: [], rollbackFloor: 2 });

  it("sends all traffic to a version at or above the floor, with a warning that says how to release it", () => {
    for (const number of [2, 3]) {
      const { findings, ...traffic } = pinned(pin(number));
      expect(traffic).toEqual({ release: 0, stable: { versionId: `v${number}`, percentage: 100 } });
      expect(codes(findings)).toEqual(["stack_pinned"]);
      expect(findings.some(isError)).toBe(false);
      expect(findings[0]?.fix).toContain("--stack staging --unpin");
    }
  });

  it("is refused for a version that is unknown, not ours, or below the floor, and names those that can serve", () => {
    expect([9, 4, 1].map((number) => whyNot(pin(number))?.code)).toEqual([
      "pin_version_missing",
      "pin_version_not_ours",
      "pin_below_rollback_floor",
    ]);
    for (const number of [9, 4, 1]) {
      const { findings } = pinned(pin(number));
      expect(findings.every(isError)).toBe(true);
      expect(findings[0]?.fix).toContain("one of 3, 2 ");
    }
  });

  it("is refused for what something else made from one of ours, with secrets that nobody here knows", () => {
    const derived = { ...pin(3), versions: [version(3, { tag: undefined }), version(2), version(1)] };
    const [finding] = pinned(derived).findings;
    expect(finding).toMatchObject({
      code: "pin_version_not_ours",
      message: expect.stringContaining("from one of ours, with secrets or settings that this stack does not know"),
      fix: expect.stringContaining("one of 2 "),
    });
  });

  it("is refused for a version that Cloudflare deploys no more, unless it serves", () => {
    const many = Array.from({ length: 101 }, (_, index) => version(101 - index));
    const old = { stack: "staging", pin: 1, versions: many, serving: [], rollbackFloor: 1 };
    expect(whyNot(old)).toMatchObject({ code: "pin_version_too_old", message: expect.stringContaining("100 newest") });
    expect(whyNot(old)?.fix).toMatch(/, 3, 2 \(/);
    expect(pinned(old).findings.every(isError)).toBe(true);
    expect(whyNot({ ...old, pin: 2 })).toBeUndefined();
    expect(whyNot({ ...old, serving: [{ versionId: "v1" }] })).toBeUndefined();
  });
});

describe("drift of the traffic", () => {
  const ours = { id: "a", message: "durable-stack, after deployment 9", source: "api" };
  const theirs = { id: "b", message: undefined, source: "wrangler" };
  const all = { release: 100, findings: [] };
  const drift = (observed: Observed, asWanted = false, rollbackFloor: number | undefined = 2) =>
    trafficDrift({ ...observed, servedLast: serves({ 1: 40, 2: 60 }), rollbackFloor }, asWanted, "staging");

  it("is the difference between the live and the wanted traffic, by version and percentage", () => {
    expect(servesAsWanted(serves({ 2: 100 }), "t2", all)).toBe(true);
    expect(servesAsWanted(serves({ 1: 100 }), "t2", all)).toBe(false);
    const half = { release: 50, stable: { versionId: "v1", percentage: 50 }, findings: [] };
    expect(servesAsWanted(serves({ 1: 50, 2: 50 }), "t2", half)).toBe(true);
    expect(servesAsWanted(serves({ 1: 40, 2: 60 }), "t2", half)).toBe(false);
    expect(servesAsWanted(serves({ 3: 50, 2: 50 }), "t2", half)).toBe(false);
    expect(servesAsWanted(serves({ 1: 100 }), "t2", half)).toBe(false);
    expect(servesAsWanted([], "t2", all)).toBe(false);
  });

  it("causes another deployment, and nothing else does", () => {
    const message = (deployment: typeof ours | typeof theirs | undefined, asWanted: boolean) =>
      deploymentMessage({ deployment, serving: serves({ 1: 100 }), versions: [version(1)] }, tagOf(2), asWanted);
    expect(message(ours, true)).toBe(ours.message);
    expect(message(ours, false)).toBe("durable-stack, after deployment a");
    expect(message(theirs, true)).toBe("durable-stack, after deployment b");
    expect(message(undefined, false)).toBe("durable-stack");
    const seen = { deployment: ours, serving: serves({ 1: 100 }), versions: [version(1)] };
    const told = deploymentMessage(seen, tagOf(2), false, { refusal: refusalNote("f".repeat(64)) });
    expect(told).toBe("durable-stack, refuses ffffffffffff, after deployment a");
  });

  it("says which version a stack is pinned to, for whoever has not its settings, and as long as it is", () => {
    const seen = { deployment: ours, serving: serves({ 1: 100 }), versions: [version(1)] };
    const notes = { refusal: refusalNote("f".repeat(64)), pin: 1 };
    const told = deploymentMessage(seen, tagOf(2), true, notes);
    expect(told).toBe("durable-stack, refuses ffffffffffff, pin 1, after deployment a");
    const after = { ...seen, deployment: { ...ours, id: "b", message: told } };
    expect(deploymentMessage(after, tagOf(2), true, { pin: 1 })).toBe(told);
    expect(deploymentMessage(after, tagOf(2), true)).toBe("durable-stack, after deployment b");
    expect(pinnedBy([theirs.message, told, "durable-stack, pin 7, after deployment 1"])).toBe(1);
    expect(pinnedBy(["durable-stack, pin 12, after 1"])).toBe(12);
    expect(pinnedBy([ours.message, told])).toBeUndefined();
    // A change of classes takes all traffic with its upload, whose deployment has the version's message.
    expect(pinnedBy([versionMessage("d".repeat(64), "0002"), told])).toBeUndefined();
    expect(isWayBack([theirs.message, told])).toBe(true);
    expect(isWayBack([theirs.message, "durable-stack, pin 12, after 1", told])).toBe(false);
    expect(codes(endedPin("staging", 1, 0))).toEqual(["stack_pinned"]);
    expect(endedPin("staging", 1, 1)).toEqual([]);
    expect(endedPin("staging", undefined, 0)).toEqual([]);
  });

  it("says which release it is of, whatever something else deployed since", () => {
    const of = (number: number, digit: string) => {
      const digest = digit.repeat(64);
      return version(number, { digest, tag: `${digest.slice(0, 12)}-${number}` });
    };
    const foreign = version(4, { tag: undefined, digest: "f".repeat(64) });
    // The third one was uploaded beside a pin, and never served.
    const versions = [foreign, of(3, "c"), of(2, "b"), of(1, "a")];
    const by = (message: string | undefined, ...numbers: readonly number[]) => ({
      message,
      versions: numbers.map((number) => ({ versionId: `v${number}`, percentage: 100 / numbers.length })),
    });
    const last = (...deployments: readonly ReturnType<typeof by>[]) => deployedLast(deployments, versions)?.[0];
    expect(last(by(theirs.message, 4), by(theirs.message, 1), by(ours.message, 2))).toBe("b");
    expect(last(by(theirs.message, 1), by(versionMessage("b".repeat(64), "0001"), 2))).toBe("b");
    expect(last(by(ours.message, 1, 2))).toBe("b");
    expect(last(by(theirs.message, 4))).toBe("c");
    expect(deployedLast([by(theirs.message, 4)], [foreign])).toBeUndefined();
  });

  it("is forced only to bring back a version under a newer foreign one, and stays so while it is in force", () => {
    const versions = [version(3, { tag: undefined, source: "wrangler" }), version(2), version(1)];
    const seen = { deployment: theirs, serving: serves({ 3: 100 }), versions };
    const back = deploymentMessage(seen, tagOf(2), false);
    expect(back).toBe("durable-stack, over deployment b");
    expect(isForced(back)).toBe(true);
    // A release without a version yet will be newer than the serving one, so it needs no force.
    expect(isForced(deploymentMessage(seen, tagOf(4), false))).toBe(false);
    const after = { deployment: { id: "c", message: back, source: "api" }, serving: serves({ 2: 100 }), versions };
    expect(deploymentMessage(after, tagOf(2), true)).toBe(back);
    expect(isForced(deploymentMessage(after, tagOf(1), false))).toBe(false);
  });

  it("is undone from the last traffic that only our versions had", () => {
    const versions = [version(3, { tag: undefined }), version(2), version(1)];
    const deployed = (shares: Readonly<Record<string, number>>) => ({
      versions: Object.entries(shares).map(([versionId, percentage]) => ({ versionId, percentage })),
    });
    const shown = (deployments: Parameters<typeof servedLast>[0], all = versions) =>
      servedLast(deployments, all)?.map(({ version: { number }, percentage }) => [number, percentage]);
    const rollout = deployed({ v2: 10, v1: 90 });
    expect(shown([deployed({ v3: 100 }), deployed({ v3: 50, v2: 50 }), rollout])).toEqual([
      [2, 10],
      [1, 90],
    ]);
    expect(shown([rollout, deployed({ v3: 100 })])).toHaveLength(2);
    expect(shown([deployed({ v3: 100 })]), "of ours none is listed any more").toEqual([[2, 100]]);
    expect(shown([deployed({ v3: 100 })], versions.slice(0, 1)), "none is ours").toBeUndefined();
  });

  it("does not count a version as ours if only one of its marks says so", () => {
    expect(isOurs(version(1))).toBe(true);
    expect(isOurs(version(1, { tag: undefined }))).toBe(false);
    expect(isOurs(version(1, { tag: `${"e".repeat(12)}-1` }))).toBe(false);
    expect(isOurs(version(1, { digest: undefined }))).toBe(false);
  });

  it("names a foreign deployment of our versions, and none of our own deployments", () => {
    const versions = [version(2), version(1)];
    const seen = (deployment: typeof ours | typeof theirs, asWanted: boolean) =>
      codes(drift({ serving: serves({ 1: 100 }), versions, deployment }, asWanted));
    expect(seen(theirs, false)).toEqual(["deployment_not_ours"]);
    expect(seen(theirs, true)).toEqual([]);
    expect(seen(ours, false)).toEqual([]);
    // The upload of a version that changes classes makes a deployment by itself.
    expect(seen({ ...theirs, message: versionMessage("d".repeat(64), "0002-more") }, false)).toEqual([]);
    expect(seen({ ...theirs, message: "release of the new page" }, false)).toEqual(["deployment_not_ours"]);
  });

  it("knows a version with which a class began without its objects, however little of its message is kept", () => {
    const kept = (begins: boolean, step: string) => versionMessage("d".repeat(64), step, begins).slice(0, 100);
    for (const step of ["0002-more", `0002-${"more".repeat(20)}`]) {
      expect(beginsWithout(kept(true, step)), step).toBe(true);
      expect(beginsWithout(kept(false, step)), step).toBe(false);
      expect(
        drift({
          serving: serves({ 1: 100 }),
          versions: [version(1)],
          deployment: { ...theirs, message: kept(true, step) },
        }),
      ).toEqual([]);
    }
    expect(beginsWithout(`release ${"d".repeat(12)}, step 0002-more, without lost objects`), "of before").toBe(true);
    const said = "; promoted over soak: nobody does, without lost objects";
    expect(beginsWithout(`${kept(false, "0002-more")}${said}`)).toBe(false);
  });

  it("says how the traffic can stay where something else sent it: with a version that serves, by its number", () => {
    const versions = [version(3), version(2), version(1)];
    const fix = (shares: Readonly<Record<number, number>>) =>
      drift({ serving: serves(shares), versions, deployment: theirs })[0]?.fix;
    expect(fix({ 2: 100 })).toMatch(/; to stay there: `npm run rollback -- --stack staging --to 2`\. /);
    expect(fix({ 2: 40, 3: 60 })).toMatch(
      /; to leave all of it with one of them: `npm run rollback -- --stack staging --to 2` or `.* --to 3`\. /,
    );
    expect(fix({ 2: 100 })).toMatch(/Without the admin token: `npm run rollback -- --stack staging --list`, and --to/);
    expect(fix({ 1: 100 }), "below the floor, which a rollback refuses").toMatch(/settings say\. /);
  });

  it("names a version that something else made, with the bindings that it changed", () => {
    const versions = [
      version(3, {
        tag: undefined,
        source: "wrangler",
        bindings: [{ name: "A", type: "json", json: "2" }, { name: "C" }],
      }),
      version(2, { bindings: [{ name: "A", type: "json", json: "1" }, { name: "B" }] }),
    ];
    const found = drift({ serving: serves({ 3: 100 }), versions, deployment: theirs }, false);
    expect(codes(found)).toEqual(["serving_version_not_ours"]);
    expect(found[0]?.message).toMatch(/wrangler made it.*compared with version 2, its bindings are ~A, -B, \+C/);
    const back = /Without the admin token: `npm run rollback -- --stack staging --to 2`, which served before\./;
    expect(found[0]?.fix).toMatch(back);
    const [below] = drift({ serving: serves({ 3: 100 }), versions, deployment: theirs }, false, 3);
    expect(below?.fix, "below the floor, which a rollback refuses").not.toMatch(back);
  });

  it("does not exist in a Worker that was never ours", () => {
    const versions = [version(1, { tag: undefined, digest: undefined })];
    expect(drift({ serving: serves({ 1: 100 }), versions, deployment: theirs }, false)).toEqual([]);
  });
});

describe("the file of a stack's settings", () => {
  const dir = scratch();
  const file = join(dir, "Pulumi.test.yaml");
  /** The project's name, which may be in front of its keys. */
  const PROJECT_NAME = "my-app";
  const named = (config: Readonly<Record<string, unknown>> | null | undefined) =>
    Object.fromEntries(Object.entries(config ?? {}).map(([key, value]) => [fullKey(PROJECT_NAME, key), value]));
  const change = (key: string, value: number | undefined) => changeSetting(file, key, value, PROJECT_NAME);

  it.each(["local", "staging", "production"])("of %s gets a line, another value, and is restored", (stack) => {
    const before = readFileSync(join(ROOT, `Pulumi.${stack}.yaml`), "utf8");
    writeFileSync(file, before);
    change("pin", 3);
    const lines = readFileSync(file, "utf8").split("\n");
    expect(lines.filter((line) => !before.split("\n").includes(line))).toEqual(["  pin: 3"]);
    expect(lines).toHaveLength(before.split("\n").length + 1);
    change("pin", 12);
    expect(parse(readFileSync(file, "utf8")).config).toEqual({ ...parse(before).config, pin: 12 });
    change("pin", undefined);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it.each([
    ["is not there", undefined],
    ["is empty", ""],
    ["has no config", "encryptionsalt: v1:abc # salt\n"],
    ["has an empty config", "config: {}\n"],
    ["has a config of null", "# mine\nconfig:\n"],
    ["does not end its last line", "config:\n    a:b: 1 # one\n    my-app:pin: 2"],
    ["has an encrypted value", "config:\n  my-app:adminToken:\n    secure: v1:abc\nencryptionsalt: v1:def\n"],
  ])("that %s keeps what it has", (_, before) => {
    rmSync(file, { force: true });
    if (before !== undefined) writeFileSync(file, before);
    change("pin", 7);
    const { config, ...rest } = parse(readFileSync(file, "utf8"));
    const { config: old, ...others } = parse(before ?? "") ?? {};
    expect(rest).toEqual(others);
    expect(named(config)).toEqual({ ...named(old), "my-app:pin": 7 });
    for (const comment of before?.match(/#.*/g) ?? []) expect(readFileSync(file, "utf8")).toContain(comment);
  });

  it("with the project's name in front of its keys gets new keys alike, and merges a key written both ways", () => {
    writeFileSync(file, "config:\n  my-app:protect: true\n  cloudflare:baseUrl: x\n");
    change("pin", 3);
    expect(parse(readFileSync(file, "utf8")).config).toEqual({
      "my-app:pin": 3,
      "my-app:protect": true,
      "cloudflare:baseUrl": "x",
    });
    writeFileSync(file, "config:\n  pin: 1\n  # about the release\n  release: dist\n  my-app:pin: 2\n");
    change("pin", 4);
    expect(parse(readFileSync(file, "utf8")).config).toEqual({ "my-app:pin": 4, release: "dist" });
    change("pin", undefined);
    expect(readFileSync(file, "utf8")).toBe("config:\n  # about the release\n  release: dist\n");
  });

  it("that is not valid is refused, and stays as it is", () => {
    for (const text of ["config: [1]\n", "a: b: c\n"]) {
      writeFileSync(file, text);
      expect(() => change("pin", 1)).toThrow(file);
      expect(readFileSync(file, "utf8")).toBe(text);
    }
  });
});
