/** The way back of a rollout whose update fails: the settings hold it, and every text says how it is gone. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { STATE_FILE } from "../../infra/apply/state.ts";
import { refreshLine, updateLine } from "../../infra/apply/update-line.ts";
import { UserError } from "../../infra/common/user-error.ts";
import { LastTraffic } from "../../infra/rollout/last-traffic.ts";
import { pinnedElsewhereText, pinnedText } from "../../infra/rollout/pinned.ts";
import { TakingBack } from "../../infra/rollout/taking-back.ts";
import { scratch } from "../scratch.ts";
import { preview, version } from "./preview.ts";

/** A local account that `npm start` has deployed to, and that does not run: every update of it fails. */
const dir = scratch();
mkdirSync(dirname(join(dir, STATE_FILE)), { recursive: true });
writeFileSync(join(dir, STATE_FILE), "{}");

/** The setting that cannot be written; undefined: all can. */
let unwritable: string | undefined;
vi.mock("../../infra/stack/settings-file.ts", async (original) => {
  const module = await original<typeof import("../../infra/stack/settings-file.ts")>();
  return {
    ...module,
    changeSetting: (...[file, key, value]: Parameters<typeof module.changeSetting>) => {
      if (key === unwritable) throw new UserError(`${file} cannot be written.`);
      module.changeSetting(file, key, value);
    },
  };
});

const settings = () => parse(readFileSync(join(dir, "Pulumi.local.yaml"), "utf8")).config;
const BAD = { ...version(5, "new", "b"), percentage: 50 };
/** How a way back fails. `isWhole`: from all traffic, by a pin. */
const failing = async (isWhole: boolean) => {
  const last = new LastTraffic("local", dir);
  last.found({ live: { ...preview().live, serving: [{ ...BAD, percentage: isWhole ? 100 : 50 }] }, tag: BAD.tag });
  const before = version(16, "old", "a");
  const options = { stack: "local", dir, say: () => {} };
  const takingBack = new TakingBack(options, last, { preview: preview(), before, isWhole });
  const error: unknown = await takingBack.run(["it is worse"]).catch((thrown: unknown) => thrown);
  return error instanceof Error ? error.message : "it did not fail";
};
const REFUSED = { refusedReleases: "b".repeat(12) };

describe("a way back whose update fails", () => {
  it("from all traffic leaves the pin, and names what carries it out, also where no file is kept", async () => {
    const text = await failing(true);
    expect(settings()).toEqual({ pin: 16, rollout: 100, ...REFUSED });
    expect(text).toMatch(/^The traffic did not go back: .*no local account runs/);
    expect(text).toContain(`pin is 16 in ${join(dir, "Pulumi.local.yaml")}`);
    expect(text).toContain(`then: npm start -- --into ${dir}\n`);
    expect(text).toContain(`npm run rollback -- --stack local --dir ${dir} --to 16`);
    expect(text).not.toMatch(/unpin|abandon/);
  });

  it("from a step leaves the share of nothing", async () => {
    rmSync(join(dir, "Pulumi.local.yaml"), { force: true });
    const text = await failing(false);
    expect(settings()).toEqual({ rollout: 0, ...REFUSED });
    expect(text).toContain(`then: npm start -- --into ${dir}\n`);
    expect(text).toContain(`npm run rollout -- abandon --stack local --dir ${dir}`);
  });
});

describe("a way back whose settings cannot be", () => {
  const file = join(dir, "Pulumi.local.yaml");
  afterEach(() => {
    unwritable = undefined;
    rmSync(file, { recursive: true, force: true });
  });

  it("read says so, what the release has, and the command that takes it back", async () => {
    rmSync(file, { force: true });
    mkdirSync(file);
    for (const [isWhole, share, command] of [
      [false, "50 %", `npm run rollout -- abandon --stack local --dir ${dir}`],
      [true, "100 %", `npm run rollback -- --stack local --dir ${dir} --to 16`],
    ] as const) {
      const text = await failing(isWhole);
      expect(text).toMatch(/^The traffic did not go back: .*Pulumi.local.yaml cannot be read: it is a folder \(EISDIR/);
      expect(text).toContain(`The release has ${share} of it. Correct what is above, then: ${command}`);
      expect(text).not.toContain("that is the way back");
    }
  });

  it("changed in one place leaves the release unrefused, and the traffic goes back all the same", async () => {
    unwritable = "refusedReleases";
    const text = await failing(false);
    expect(settings()).toEqual({ rollout: 0 });
    // The update was begun, which here fails.
    expect(text).toMatch(/^The traffic did not go back: .*no local account runs/);
  });
});

describe("a rollout of a pinned stack", () => {
  const { live } = preview();
  const serving = (shares: Readonly<Record<number, number>>) => ({
    ...live,
    serving: Object.entries(shares).map(([number, percentage]) => ({
      versionId: `v-${number}`,
      number: Number(number),
      percentage,
      tag: "a",
      digest: "a".repeat(64),
    })),
  });

  it("whose pin has been carried out asks for its release", () => {
    expect(pinnedText("production", dir, 4, serving({ 4: 100 }))).toMatch(/pinned to version 4: .*--unpin$/);
  });

  it.each([
    ["none of the traffic", { 5: 100 }, "version 4 has 0 % of it"],
    ["a part of it", { 5: 90, 4: 10 }, "version 4 has 10 % of it"],
  ])("whose pinned version has %s asks for the update, and never to take the pin out", (_, shares, share) => {
    const text = pinnedText("production", dir, 4, serving(shares));
    expect(text).toContain(share);
    expect(text).toContain("Carry that out first: npm run up -- --stack production\n");
    expect(text).not.toContain("--unpin");
  });

  it("whose pinned version cannot serve asks for its release: no update could carry it out", () => {
    expect(pinnedText("production", dir, 2, serving({ 5: 100 }))).toContain("--unpin");
  });
});

it("a pin that only the account tells of is to be taken over or ended, and only ended where its version cannot serve", () => {
  const { live } = preview();
  const told = (pinned: number | undefined) => pinnedElsewhereText("production", dir, { ...live, pinned });
  expect(told(undefined)).toBeUndefined();
  expect(told(4)).toMatch(
    /pinned to version 4,.*these settings have no pin.*\n.*production --to 4\n.*production --unpin$/,
  );
  expect(told(2)).toMatch(/pinned to version 2,.*\nTo end it: npm run rollback -- --stack production --unpin$/);
});

it("the line that updates a stack is that of whatever deployed it", () => {
  expect(updateLine("staging", dir)).toBe("npm run up -- --stack staging");
  expect(updateLine("local", dir)).toBe(`npm start -- --into ${dir}`);
  expect(refreshLine("staging", dir)).toBe("npm run up -- --stack staging --refresh");
  expect(refreshLine("local", dir), "which looks at everything").toBe(`npm start -- --into ${dir}`);
  const never = join(dir, "never deployed");
  expect(updateLine("local", never)).toBe(`npm run up -- --stack local --dir '${never}'`);
});
