/** A change of the traffic whose update is interrupted: nobody takes it for a bug, and every text says what completes it. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { Interrupted } from "../../infra/common/interrupted.ts";
import { UserError } from "../../infra/common/user-error.ts";
import type { Serving } from "../../infra/plan/live/version.ts";
import type { Finding } from "../../infra/plan/rules/codes.ts";
import { AS_LEFT, AS_LEFT_TAG } from "../../infra/rollout/as-left.ts";
import { abandon, giveShare } from "../../infra/rollout/by-hand.ts";
import { LastTraffic } from "../../infra/rollout/last-traffic.ts";
import { setShare } from "../../infra/rollout/share.ts";
import { TakingBack } from "../../infra/rollout/taking-back.ts";
import { LEAST_SHARE } from "../../infra/stack/rollout-steps.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { scratch } from "../scratch.ts";
import { preview, version } from "./preview.ts";

/** How far the update had come; `deploys`: whether it changed the deployment. */
let interrupted = { isDone: false, deploys: false };
/** The update's exit code, where no signal comes. */
let code: number | undefined;
let deployment = "d-1";
/** Per cent of the traffic, by the version's number: 5 is the release's. */
let shares: Readonly<Record<number, number>>;
/** What happens while the update runs. */
let meanwhile = () => {};

vi.mock("../../infra/apply/on-cli.ts", () => ({
  onCli: async () => {
    meanwhile();
    if (interrupted.deploys) deployment = "d-2";
    if (code !== undefined) return code;
    throw new Interrupted("SIGINT", interrupted.isDone);
  },
}));

/** The pauses that were made, in milliseconds: each passes at once. */
let pauses: number[] = [];
let onPause = () => {};
vi.mock("node:timers/promises", async (original) => ({
  ...(await original<typeof import("node:timers/promises")>()),
  setTimeout: async (ms: number) => {
    pauses.push(ms);
    onPause();
    vi.advanceTimersByTime(ms);
  },
}));
vi.useFakeTimers({ toFake: ["performance"] });
afterAll(() => void vi.useRealTimers());

const dir = scratch();
const file = join(dir, "Pulumi.local.yaml");
const UPDATE = `npm run up -- --stack local --dir ${dir}`;
beforeEach(() => {
  interrupted = { isDone: false, deploys: false };
  code = undefined;
  deployment = "d-1";
  shares = { 5: 50, 4: 50 };
  meanwhile = () => {};
  pauses = [];
  onPause = () => {};
  rmSync(file, { force: true });
  changeSetting(file, "rollout", 50);
});

const settings = () => parse(readFileSync(file, "utf8")).config;
const serving = () =>
  Object.entries(shares).map(([number, percentage]) => ({
    versionId: `v-${number}`,
    number: Number(number),
    percentage,
    tag: number === "5" ? "new" : "old",
    digest: "a".repeat(64),
  }));
const byHand = {
  stack: "local",
  dir,
  live: async () => ({
    ...preview().live,
    serving: serving(),
    deployment: { id: deployment, message: "durable-stack", source: "api", createdOn: undefined },
  }),
};
const STABLE = { number: 4, versionId: "v-4" };
const giving = (share: number) => giveShare(byHand, share, { deployment: "d-1", tag: "new" });

/** What is said of the interruption of `work`. */
async function said(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Interrupted);
  expect(error).toMatchObject({ signal: "SIGINT", isDone: interrupted.isDone });
  return error instanceof Error ? error.message : "";
}

/** What the account says to a way back. */
let answer: () => Promise<readonly Serving[]>;
/** What the plan has against it. */
let against: () => readonly Pick<Finding, "code" | "subject" | "message" | "fix">[];
vi.mock("../../infra/stack/open.ts", () => ({
  openStack: () => ({ name: "local", settings: preview().settings, reads: {} }),
}));
vi.mock("../../infra/plan/live/worker.ts", async (original) => ({
  ...(await original<object>()),
  readWorker: async () => ({ ...preview().live, serving: await answer() }),
}));
vi.mock("../../infra/plan/stack-preview.ts", () => ({ previewStack: async () => ({ errors: against() }) }));

const lines: string[] = [];
beforeEach(() => {
  lines.length = 0;
  answer = async () => [];
  against = () => [];
});
const serves = (number: number, percentage: number) => ({ ...version(number, "t", "c"), percentage });

/** Takes the traffic back to version 16, of the release whose digest is this letter, 64 times. */
const back = ({ isWhole = false, letter = "a" } = {}) =>
  new TakingBack({ stack: "local", dir, say: (line) => void lines.push(line) }, new LastTraffic("local", dir), {
    preview: preview(),
    before: version(16, "old", letter),
    isWhole,
  }).run(["it is worse"]);
const REFUSED = `local refuses release ${"b".repeat(12)} from now on:`;
const BACK = `All traffic is back at version 16, the one before. ${REFUSED}`;

describe("an interrupted way back", () => {
  it.each([
    [false, "rollout is 0", `npm run rollout -- abandon --stack local --dir ${dir}`],
    [true, "pin is 16", `npm run rollback -- --stack local --dir ${dir} --to 16`],
  ])("says that the setting is the way back, and what completes it (by a pin: %j)", async (isWhole, setting, anew) => {
    const text = await said(back({ isWhole }));
    expect(text).toContain("has ended before it was complete");
    expect(text).toContain(
      `\n${setting} in ${file}, and that is the way back: leave it there. To complete it: ${UPDATE}\nWhere that file is not kept, as in a CI job: ${anew}\n${REFUSED} refusedReleases in ${file}.`,
    );
    // The release is refused by now: the same command would not go on.
    expect(text).not.toContain("same command");

    interrupted = { isDone: true, deploys: true };
    const done = await said(back({ isWhole }));
    expect(done).toContain("was complete all the same");
    expect(done).toContain(`leave it there.\n${REFUSED} the deployment says so, and refusedReleases in ${file}.`);
  });
});

describe("a way back whose update succeeds", () => {
  beforeEach(() => {
    code = 0;
  });

  it("says nothing else where the account says so, too", async () => {
    answer = async () => [serves(16, 100)];
    await back();
    expect(lines).toEqual(["Worse: it is worse", `${BACK} the deployment says so, and refusedReleases in ${file}.`]);
    expect(settings()).toEqual({ rollout: 0, refusedReleases: "b".repeat(12) });
  });

  it("refuses nothing where the version before is of the same release", async () => {
    answer = async () => [serves(16, 100)];
    await back({ isWhole: true, letter: "b" });
    const unpin = `npm run rollback -- --stack local --dir ${dir} --unpin`;
    expect(lines).toContain(`local is pinned to version 16 until: ${unpin}`);
    expect(lines.at(-1)).toMatch(new RegExp(`made the difference.* so it is not refused.* before ${unpin}\\.$`));
    expect(settings()).toEqual({ pin: 16, rollout: 100 });
  });

  it.each([
    [[serves(17, 100)], "version 17 100 %"],
    [[serves(17, 10), serves(16, 90)], "version 17 10 %, version 16 90 %"],
  ])("does not claim it where other versions serve, and says what sends the traffic back", async (now, said) => {
    answer = async () => now;
    await expect(back()).rejects.toThrow(
      `did not go back to version 16, though the update was complete: now it is ${said}. Send it there: npm run rollback -- --stack local --dir ${dir} --to 16\n${REFUSED}`,
    );
  });

  it("does not claim it where the account cannot be read", async () => {
    answer = () => Promise.reject(new UserError("Cloudflare answered 429."));
    await expect(back()).rejects.toThrow(
      /whether version 16 has all of it cannot be read: Cloudflare answered 429\.\nSee: npm run rollout -- status/,
    );
  });
});

describe("a way back whose update fails", () => {
  let updates: number;
  beforeEach(() => {
    code = 1;
    updates = 0;
    meanwhile = () => void updates++;
    answer = async () => [serves(17, 50), serves(16, 50)];
  });
  const again = "The traffic did not go back yet; tried again in 30 s";

  it("is tried again until the update that is in the way has ended", async () => {
    meanwhile = () => {
      updates++;
      if (updates === 3) code = 0;
    };
    answer = async () => [code === 0 ? serves(16, 100) : serves(17, 50)];
    await back();
    expect(lines).toEqual(["Worse: it is worse", again, again, expect.stringContaining(BACK)]);
    expect(pauses).toEqual([30_000, 30_000]);
  });

  it("has ended where the account says that the traffic is back, and names what completes the update", async () => {
    answer = async () => [serves(16, 100)];
    await back();
    expect(lines.at(-1)).toBe(
      `${BACK} refusedReleases in ${file}.\nThe update has failed all the same. To complete it: ${UPDATE} Where that file is not kept, as in a CI job, leave it: the next release completes it.`,
    );
    expect(updates).toBe(1);
  });

  it("is tried on where the account cannot be read, and given up after ten minutes", async () => {
    answer = () => Promise.reject(new UserError("Cloudflare answered 429."));
    await expect(back()).rejects.toThrow(
      `The traffic did not go back: the update failed.\nrollout is 0 in ${file}, and that is the way back`,
    );
    expect(updates).toBe(21);
  });

  it("is not tried again where none will take the traffic back", async () => {
    against = () => [{ code: "region_prefix_removed", subject: "eu", message: "it is gone.", fix: "put it back." }];
    await expect(back()).rejects.toThrow(
      "The traffic did not go back: the plan is against it:\n  [region_prefix_removed] eu: it is gone.",
    );
    expect(updates).toBe(1);
  });

  const interrupt = () => void process.emit("SIGINT", "SIGINT");
  it.each<[string, () => void]>([
    [
      "waits",
      () => {
        onPause = interrupt;
      },
    ],
    [
      "asks what serves",
      () => {
        const serving = answer;
        answer = () => {
          if (updates > 0) interrupt();
          return serving();
        };
      },
    ],
    [
      "asks the plan",
      () => {
        against = () => {
          interrupt();
          return [];
        };
      },
    ],
  ])("can be interrupted while it %s", async (_, begin) => {
    begin();
    const text = await back().catch((error: unknown) => error);
    expect(text).toBeInstanceOf(Interrupted);
    expect(text).toMatchObject({ isDone: false, message: expect.stringContaining("that is the way back: leave it") });
    expect(updates).toBe(1);
  });
});

describe("an interrupted step of a rollout", () => {
  it("goes on with the same command", async () => {
    const text = await said(
      setShare("local", dir, 50, { next: () => "Run the same command again to go on, or: abandon it" }),
    );
    expect(text).toMatch(/\nRun the same command again to go on, or: abandon it$/);
  });
});

describe("a share without users whose update fails", () => {
  it("is told as it was written", async () => {
    code = 1;
    await expect(setShare("local", dir, LEAST_SHARE, { next: () => "Go on." })).rejects.toThrow(
      `The update failed. rollout is 0 and rolloutTrial is true in ${file}, and the traffic may be another.\nGo on.`,
    );
    expect(settings()).toEqual({ rollout: 0, rolloutTrial: true });
  });

  it("is put back where the update changed nothing", async () => {
    code = 1;
    changeSetting(file, "rollout", 0);
    changeSetting(file, "rolloutTrial", true);
    await expect(giving(10)).rejects.toThrow(`so are the settings in ${file}. Run the same command again; `);
    expect(settings()).toEqual({ rollout: 0, rolloutTrial: true });
  });
});

describe("an interrupted change of the share", () => {
  it("that changed nothing puts the setting back", async () => {
    expect(await said(abandon(byHand, STABLE))).toMatch(
      /The traffic is as it was, and so are the settings in .*same command/,
    );
    expect(settings()).toEqual({ rollout: 50 });
  });

  it("that may have changed the traffic keeps the setting, and names the update that completes it", async () => {
    interrupted = { isDone: false, deploys: true };
    const text = await said(abandon(byHand, STABLE));
    expect(text).toContain(`rollout is 0 in ${file}, and the traffic may be another.\n`);
    expect(text).toContain(`To complete it: ${UPDATE}`);
    expect(text).not.toContain("same command");
    expect(settings()).toEqual({ rollout: 0 });
  });

  it("that was complete leaves nothing to do: no rollout is under way then", async () => {
    interrupted = { isDone: true, deploys: true };
    const text = await said(giving(100));
    expect(text).toMatch(/was complete all the same[\s\S]*status --stack local --dir \S+$/);
    expect(settings()).toEqual({ rollout: 100 });
  });
});

describe("an abandon", () => {
  beforeEach(() => {
    code = 0;
  });

  it("says nothing else where the stable version has all traffic", async () => {
    meanwhile = () => {
      shares = { 4: 100 };
    };
    await abandon(byHand, STABLE);
    expect(settings()).toEqual({ rollout: 0 });
  });

  it.each([
    ["succeeds", 0],
    ["fails", 1],
  ])(
    "of a rollout that has ended since it was asked does not claim it, and puts the setting back (its update %s)",
    async (_, exit) => {
      code = exit;
      meanwhile = () => {
        deployment = "d-2";
        shares = { 5: 100 };
      };
      await expect(abandon(byHand, STABLE)).rejects.toThrow(
        `The rollout had ended before it could be abandoned: now it is version 5 100 %. Nothing was taken back. Go back with: npm run rollback -- --stack local --dir ${dir}`,
      );
      expect(settings()).toEqual({ rollout: 50 });
    },
  );

  it("does not claim it where the account cannot be read, and leaves the setting", async () => {
    let asked = 0;
    const live = async () => {
      if (asked++ > 0) throw new UserError("Cloudflare answered 429.");
      return byHand.live();
    };
    await expect(abandon({ ...byHand, live }, STABLE)).rejects.toThrow(
      /whether version 4 has all traffic cannot be read: Cloudflare answered 429\.\nSee: /,
    );
    expect(settings()).toEqual({ rollout: 0 });
  });
});

describe("a share that a person gives", () => {
  beforeEach(() => {
    code = 1;
  });

  it("is sent only where the deployment and the release are those that were asked about", async () => {
    let told: unknown;
    meanwhile = () => {
      told = [process.env[AS_LEFT], process.env[AS_LEFT_TAG]];
      shares = { 5: 10, 4: 90 };
      code = 0;
    };
    await giving(10);
    expect(told).toEqual(["d-1", "new"]);
    expect([process.env[AS_LEFT], process.env[AS_LEFT_TAG]]).toEqual([undefined, undefined]);
  });

  it("and that was refused because something else has changed the traffic is not in the settings any more", async () => {
    meanwhile = () => {
      deployment = "d-2";
      shares = { 4: 100 };
    };
    await expect(giving(10)).rejects.toThrow(
      "Something else has changed the traffic of local since that was asked: now it is version 4 100 %. It is left so.",
    );
    expect(settings()).toEqual({ rollout: 50 });
  });

  it("and whose update fails after it has changed the traffic names the update that completes it", async () => {
    meanwhile = () => {
      deployment = "d-2";
      shares = { 5: 100 };
    };
    await expect(giving(100)).rejects.toThrow(
      `the traffic may be another.\nTo complete it: ${UPDATE}\nSee: npm run rollout -- status --stack local --dir ${dir}`,
    );
    expect(settings()).toEqual({ rollout: 100 });
  });

  it("leaves what something else has written meanwhile: an abandon's share is not put back", async () => {
    meanwhile = () => changeSetting(file, "rollout", 0);
    await expect(giving(10)).rejects.toThrow(`and something else has changed ${file} since. `);
    expect(settings()).toEqual({ rollout: 0 });
  });
});
