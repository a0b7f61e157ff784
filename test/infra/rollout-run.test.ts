/** A rollout of a stack whose account, update and smoke test are played: how it ends, and what it says of the traffic. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { UpdateOptions } from "../../infra/apply/update.ts";
import type { ServingVersion } from "../../infra/plan/live/version.ts";
import type { Finding } from "../../infra/plan/rules/codes.ts";
import type { Left } from "../../infra/plan/storage/left.ts";
import { AS_LEFT, AS_LEFT_TAG } from "../../infra/rollout/as-left.ts";
import type { RolloutOptions } from "../../infra/rollout/run.ts";
import type { Check } from "../../infra/smoke/probe.ts";
import type { NotReady, Readiness } from "../../infra/smoke/ready.ts";
import type { Blind } from "../../infra/smoke/reason.ts";
import type { Step } from "../../infra/stack/rollout-steps.ts";
import { scratch } from "../scratch.ts";
import { NEW, OLD, preview, version } from "./preview.ts";

const fresh = () => ({
  /** Per cent of the traffic, by the version's number: 5 is the release's. */
  shares: new Map([[4, 100]]),
  /** What something else has deployed over that, until the next update; undefined: nothing. */
  foreign: undefined as ServingVersion | undefined,
  /** Number of the version with which something else changed the classes; undefined: it did not. */
  changedByOthers: undefined as number | undefined,
  deployments: 1,
  steps: [] as Step[],
  changesClasses: false,
  changesRegions: false,
  /** Storage that the release deletes. */
  deleted: [] as Left[],
  rollbackFloor: 3,
  /** What the plan has against the version that a pin names. */
  backErrors: [] as Finding[],
  /** The same against the end of the rollout. */
  abandonErrors: [] as Finding[],
  /** Whether a signal comes in the next update, before it has done anything. */
  interrupts: () => false,
  /** The tag of what is at hand: `NEW` is the release's, `OLD` the stable version's. */
  tag: NEW,
  /** Which version an update leaves with all traffic, instead of the one it should; undefined: it does as it should. */
  misled: undefined as number | undefined,
  /** When the deployment in force was made. */
  createdOn: undefined as string | undefined,
  /** Whether the next update fails before it has done anything. */
  fails: () => false,
  /** Told of each update before it begins. */
  onUpdate: () => {},
  /** Told of each look at the stack. */
  onLook: () => {},
  /** What the smoke test finds. */
  checks: (): Check[] => [well("release")],
  /** Whether anything answers at all. */
  isAnswered: true,
  /** What the version that serves says of the address and the token. */
  readiness: (): Readiness => ({ isReady: true, takesToken: true }),
});
const well = (name: string): Check => ({ name, ok: true, detail: "", ms: 1 });
const failed = (name: string, blind?: Blind): Check => ({
  name,
  ok: false,
  detail: "",
  ms: 1,
  ...(blind !== undefined && { blind }),
});

let world = fresh();
/** How often a way back has waited: that passes at once. */
let pauses = 0;
let onPause = () => {};
vi.mock("node:timers/promises", async (original) => {
  const timers = await original<typeof import("node:timers/promises")>();
  return {
    ...timers,
    setTimeout: async (ms: number) => {
      if (ms < 30_000) return timers.setTimeout(ms);
      pauses++;
      onPause();
    },
  };
});
const dir = scratch();
const file = join(dir, "Pulumi.local.yaml");
beforeEach(() => {
  world = fresh();
  pauses = 0;
  onPause = () => {};
  rmSync(file, { force: true });
});

const settings = () => {
  const { settings: given } = preview();
  const rolloutAnalysis = { ...given.rolloutAnalysis, patienceMinutes: 0 };
  return { ...given, stack: "local", rolloutSteps: world.steps, rolloutAnalysis };
};
const serving = () =>
  [...world.shares]
    .map(([number, percentage]) => ({
      ...version(number, number === 5 ? "new" : "old", number === 5 ? "b" : "a"),
      percentage,
    }))
    .sort((a, b) => b.number - a.number);
const live = () => ({
  ...preview().live,
  rollbackFloor: world.rollbackFloor,
  serving: world.foreign ? [world.foreign] : serving(),
  servedLast: serving(),
  changedByOthers: world.changedByOthers,
  deployment: { id: `d-${world.deployments}`, message: "durable-stack", source: "api", createdOn: world.createdOn },
});

vi.mock("../../infra/stack/open.ts", () => ({
  openStack: () => ({ name: "local", settings: settings(), reads: { deployments: async () => deployments() } }),
}));
vi.mock("../../infra/plan/live/worker.ts", () => ({ readWorker: async () => live() }));
vi.mock("../../infra/release/read.ts", () => ({ readRelease: () => preview().release }));
vi.mock("../../infra/plan/stack-preview.ts", () => ({
  previewStack: async (stack: { settings: { pin: number; rollout: number } }) => {
    world.onLook();
    const { plan } = preview();
    return preview({
      settings: settings(),
      live: live(),
      tag: world.tag,
      regions: world.changesRegions ? [{ kind: "added", id: "ap", prefix: "tst-ap" }] : [],
      deleted: world.deleted,
      plan: { ...plan, changesLifecycle: world.changesClasses },
      errors: stack.settings.pin > 0 ? world.backErrors : stack.settings.rollout === 0 ? world.abandonErrors : [],
    });
  },
}));
vi.mock("../../infra/smoke/smoke.ts", () => ({ smoke: async () => world.checks() }));
vi.mock("../../infra/smoke/ready.ts", () => ({
  askFor: () => ({}),
  readiness: async () => world.readiness(),
  isAnswered: async () => world.isAnswered,
}));
vi.mock("../../infra/rollout/compare/numbers.ts", () => ({
  isPassing: () => true,
  windowOf: () => ({}),
  loggedNow: async () => ({ share: 1, because: "" }),
  numbersOf: async () => {
    throw new UserError("The metrics cannot be read: 503.");
  },
}));
vi.mock("../../infra/apply/update.ts", () => ({
  interruptedText: () => "",
  update: async (_stack: string, _dir: string, { next }: UpdateOptions) => {
    world.onUpdate();
    const left = process.env[AS_LEFT];
    if (left !== undefined && left !== `d-${world.deployments}`) return false;
    const tag = process.env[AS_LEFT_TAG];
    if (tag !== undefined && tag !== world.tag) return false;
    if (world.fails()) return false;
    if (world.interrupts()) throw new Interrupted("SIGINT", false, `Interrupted.\n${next?.(false)}`);
    const { pin, rollout, rolloutTrial } = parse(readFileSync(file, "utf8")).config;
    const share = rolloutTrial ? 0.01 : rollout;
    world.shares = new Map(
      world.misled !== undefined
        ? [[world.misled, 100]]
        : pin !== undefined
          ? [[pin, 100]]
          : share === 100
            ? [[5, 100]]
            : [[4, 100 - share], ...(share > 0 ? [[5, share] as const] : [])],
    );
    world.foreign = undefined;
    world.deployments++;
    return true;
  },
}));
const deployments = () => [
  { versions: [{ versionId: "v-5", percentage: 100 }] },
  { versions: [{ versionId: "v-4", percentage: 100 }] },
];

const { rollOut } = await import("../../infra/rollout/run.ts");
const { changeSetting } = await import("../../infra/stack/settings-file.ts");
const { Interrupted } = await import("../../infra/common/interrupted.ts");
const { UserError } = await import("../../infra/common/user-error.ts");

/** How a rollout ends, and all that it says, an error's message too. */
async function rolledOut(more: Partial<RolloutOptions> = {}): Promise<{ readonly end: string; readonly text: string }> {
  const said: string[] = [];
  const options = {
    stack: "local",
    dir,
    url: new URL("http://127.0.0.1:9/"),
    adminToken: "the-token-of-this-stack",
    names: { url: "--to-url", adminToken: "ADMIN_TOKEN" },
    again: false,
    confirm: async () => {},
    say: (line: string) => void said.push(line),
    ...more,
  };
  const end = await rollOut(options).catch((error: unknown) => {
    said.push(error instanceof Error ? error.message : String(error));
    return "error";
  });
  return { end, text: said.join("\n") };
}

const step = (percent: number, smoke = false): Step => ({ percent, minutes: 0, smoke });

it("goes through its steps", async () => {
  world.steps = [step(0, true), step(50), step(100, true)];
  expect(await rolledOut()).toMatchObject({ end: "done", text: expect.stringContaining("has all traffic.") });
  expect(world.shares).toEqual(new Map([[5, 100]]));
});

it("leaves an abandon that ends between its last look and its update, and puts the setting back", async () => {
  world.steps = [step(10), step(50)];
  world.onUpdate = () => {
    if (world.deployments !== 2) return;
    world.shares = new Map([[4, 100]]);
    world.deployments++;
  };
  const { end, text } = await rolledOut();
  expect([end, text]).toEqual([
    "error",
    expect.stringMatching(
      /Something else has changed the traffic of local.* now it is version 4 .*100 %\. It is left so/,
    ),
  ]);
  expect(world.shares).toEqual(new Map([[4, 100]]));
  expect(parse(readFileSync(file, "utf8")).config.rollout).toBe(10);
  expect(process.env[AS_LEFT]).toBeUndefined();
});

it("leaves an abandon that is in the settings before its next step, and sends nothing", async () => {
  world.steps = [step(10, true), step(50)];
  world.checks = () => {
    changeSetting(file, "rollout", 0);
    return [well("release")];
  };
  const { end, text } = await rolledOut();
  expect([end, text]).toEqual([
    "error",
    expect.stringMatching(
      /Something else has set rollout .* since\. It is left so, and nothing was sent\. Run the same .* abandon --stack local --dir \S+$/,
    ),
  ]);
  expect(parse(readFileSync(file, "utf8")).config.rollout).toBe(0);
  expect(world.shares.get(5)).toBe(10);
});

it("does not put its share back over an abandon that was written while its update failed", async () => {
  world.steps = [step(10), step(50)];
  world.onUpdate = () => {
    if (world.deployments === 2) changeSetting(file, "rollout", 0);
  };
  world.fails = () => world.deployments === 2;
  expect((await rolledOut()).text).toContain(`The traffic is as it was, and something else has changed ${file} since.`);
  expect(parse(readFileSync(file, "utf8")).config.rollout).toBe(0);
});

it("sends nothing where another release is built between its last look and its update", async () => {
  world.steps = [step(10), step(50)];
  world.onUpdate = () => {
    if (world.deployments === 2) world.tag = "newer";
  };
  expect((await rolledOut()).end).toBe("error");
  expect(world.shares.get(5)).toBe(10);
  expect(parse(readFileSync(file, "utf8")).config.rollout).toBe(10);
});

it("sends nothing where the release at hand is not the one that was judged", async () => {
  world.steps = [step(100)];
  const { end, text } = await rolledOut({ tag: "judged" });
  expect([end, text]).toEqual([
    "error",
    expect.stringMatching(/is not the one any more that was judged\. Put it back/),
  ]);
  expect(world.deployments).toBe(1);
});

describe("a way back whose update fails", () => {
  beforeEach(() => {
    world.steps = [step(50, true), step(100)];
    world.checks = () => {
      world.fails = () => true;
      return [failed("page")];
    };
  });

  it("is tried again, and the release goes back", async () => {
    onPause = () => {
      world.fails = () => false;
    };
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["went back", expect.stringContaining("did not go back yet; tried again in 30 s")]);
    expect(world.shares).toEqual(new Map([[4, 100]]));
  });

  it("is not tried again where the plan is against it", async () => {
    world.abandonErrors = [
      { code: "region_prefix_removed", subject: "a name", message: "it is another's.", fix: "change it." },
    ];
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual([
      "error",
      expect.stringMatching(/did not go back: the plan is against it:\n {2}\[region_prefix_removed\]/),
    ]);
    expect(pauses).toBe(1);
  });

  it("is not tried again over what somebody else has sent the traffic to meanwhile", async () => {
    onPause = () => {
      world.fails = () => false;
      world.shares = new Map([[6, 100]]);
      world.deployments++;
    };
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["error", expect.stringContaining("Something else has changed the traffic of local")]);
    expect(world.shares).toEqual(new Map([[6, 100]]));
  });
});

describe("a step whose update changes nothing", () => {
  const SETTINGS = "config:\n  anonymousDays: 8\n";
  const ends = [
    ["fails", () => (world.fails = () => world.deployments === 2)],
    ["is interrupted", () => (world.interrupts = () => world.deployments === 2)],
  ] as const;

  it.each(ends)("leaves the settings as they were, and does not speak of a way back (%s)", async (_, begin) => {
    world.deployments = 2;
    writeFileSync(file, SETTINGS);
    world.steps = [step(0, true), step(100)];
    begin();
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual([
      "error",
      expect.stringContaining(
        `The traffic is as it was, and so are the settings in ${file}. Run the same command again to go on.`,
      ),
    ]);
    expect(text).not.toMatch(/abandon|rollback/);
    expect(readFileSync(file, "utf8")).toBe(SETTINGS);
  });

  it.each(ends)("in the middle leaves the share of the step before, which goes back (%s)", async (_, begin) => {
    world.steps = [step(10), step(100)];
    begin();
    const { text } = await rolledOut();
    expect(text).toMatch(
      /The traffic is as it was.* to go on, or: npm run rollout -- abandon --stack local --dir \S+$/,
    );
    expect(parse(readFileSync(file, "utf8")).config).toEqual({ rollout: 10 });
    expect(world.shares.get(5)).toBe(10);
  });
});

describe("a rollout that cannot look at the stack after an update", () => {
  it.each([
    [[step(100, true)], "100 %", `rollback -- --stack local --dir ${dir}`],
    [[step(10), step(50)], "10 %", `rollout -- abandon --stack local --dir ${dir}`],
    [[step(50), step(100)], "50 %", `rollout -- abandon --stack local --dir ${dir}`],
  ] as const)("of %j says that the release has %s of the traffic", async (steps, share, back) => {
    world.steps = [...steps];
    world.onLook = () => {
      if (world.deployments > 1) throw new UserError("Cloudflare answered 429.");
    };
    const { end, text } = await rolledOut();
    expect(end).toBe("error");
    expect(text).toContain(`Cloudflare answered 429.\n${share} of the traffic stay with the release.`);
    expect(text).toContain(`or: npm run ${back}`);
  });

  it("tells the share of the last update, and not of the one before", async () => {
    world.steps = [step(10), step(50)];
    world.onLook = () => {
      if (world.deployments > 2) throw new UserError("Cloudflare answered 429.");
    };
    expect((await rolledOut()).text).toContain("50 % of the traffic stay with the release.");
  });
});

describe("a release that refuses the admin token", () => {
  const refuses = () => [well("release"), failed("ledger", "token refused")];
  const tokenRefused = (): Readiness => ({ isReady: false, because: "token refused", why: "401." });

  it.each([[[step(0, true), step(100)]], [[step(100, true)]]])(
    "is bad in %j, where the stable version takes it",
    async (steps) => {
      world.steps = steps;
      world.checks = refuses;
      expect(await rolledOut()).toMatchObject({ end: "went back" });
      expect(world.shares).toEqual(new Map([[4, 100]]));
    },
  );

  it("is not judged where the stable version refuses it by now, too", async () => {
    world.steps = [step(0, true), step(100)];
    world.checks = () => {
      world.readiness = tokenRefused;
      return refuses();
    };
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual([
      "not known",
      expect.stringContaining("the admin token was refused. Give the one of this stack as ADMIN_TOKEN."),
    ]);
    expect(world.shares.get(5)).toBe(0.01);
  });

  it("is not judged where nobody has taken the token before", async () => {
    world.steps = [step(100, true)];
    world.readiness = () => ({ isReady: true, takesToken: false });
    world.checks = refuses;
    expect(await rolledOut()).toMatchObject({ end: "not known" });
  });
});

describe("a smoke test with a check that was not answered", () => {
  const unreached = (name: string) => failed(name, "not reached");
  const unanswered = (): Readiness => ({
    isReady: false,
    because: "not answered",
    why: "GET /health is not answered.",
  });
  const allShares = [[[step(0, true), step(100)]], [[step(100, true)]]];

  it.each(allShares)("is bad in %j, where a later check was", async (steps) => {
    world.steps = steps;
    world.checks = () => {
      world.isAnswered = false;
      return [unreached("release"), well("page")];
    };
    expect(await rolledOut()).toMatchObject({ end: "went back" });
  });

  it.each(allShares)("is bad in %j, where the Worker answers after it", async (steps) => {
    world.steps = steps;
    world.checks = () => [well("release"), unreached("chat")];
    expect(await rolledOut()).toMatchObject({ end: "went back" });
  });

  it("is bad where the stable version answers, though it refuses the token by now", async () => {
    world.steps = [step(10, true), step(100)];
    world.checks = () => {
      world.readiness = () => ({ isReady: false, because: "token refused", why: "401." });
      return [well("release"), unreached("chat")];
    };
    expect(await rolledOut()).toMatchObject({ end: "went back" });
  });

  it.each(allShares)("says nothing in %j, where Cloudflare's edge answered it", async (steps) => {
    world.steps = steps;
    world.checks = () => [well("release"), failed("chat", "edge answered"), well("counter")];
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["not known", expect.stringContaining("edge answered in the Worker's place. Look at")]);
    expect(world.shares.get(5)).toBeGreaterThan(0);
  });

  it.each(allShares)("is bad in %j, where another was answered wrongly", async (steps) => {
    world.steps = steps;
    world.checks = () => [failed("release"), failed("chat", "edge answered")];
    expect(await rolledOut()).toMatchObject({ end: "went back" });
  });

  it("asks the stable version once, whether it is reached and whether it takes the token", async () => {
    world.steps = [step(10, true), step(100)];
    let asked = 0;
    world.checks = () => {
      world.readiness = () => {
        asked++;
        return { isReady: false, because: "token refused", why: "401." };
      };
      return [failed("ledger", "token refused"), unreached("chat")];
    };
    expect(await rolledOut()).toMatchObject({ end: "went back" });
    expect(asked).toBe(1);
  });

  it("of a release that changes classes is bad, too, and there is no way back", async () => {
    world.steps = [step(100, true)];
    world.changesClasses = true;
    world.checks = () => [well("release"), unreached("chat"), well("counter")];
    expect(await rolledOut()).toMatchObject({ end: "no way back" });
  });

  it.each(allShares)("says nothing in %j, where nothing answers any more, whatever failed before", async (steps) => {
    world.steps = steps;
    world.checks = () => {
      world.isAnswered = false;
      world.readiness = unanswered;
      return [well("release"), failed("page"), unreached("chat"), unreached("counter")];
    };
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["not known", expect.stringContaining("nothing answered any more. Correct --to-url,")]);
    expect(world.shares.get(5)).toBeGreaterThan(0);
  });
});

const obstacle = (because: NotReady["because"]) => (): Readiness => ({
  isReady: false,
  because,
  why: "It says why.",
});

describe("a stable version that is broken", () => {
  it.each<[shares: [number, number][], line: string]>([
    [[[4, 100]], `npm run up -- --stack local --dir ${dir}`],
    [
      [
        [5, 10],
        [4, 90],
      ],
      `npm run rollout -- set 100 --stack local --dir ${dir}`,
    ],
  ])("says nothing of a release, and may be mended by it: %j", async (shares, line) => {
    world.shares = new Map(shares);
    world.steps = [step(10, true), step(100, true)];
    world.readiness = obstacle("failing");
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["error", expect.stringContaining(`this release mends it: ${line}\n`)]);
    expect(world.shares).toEqual(new Map(shares));
  });
});

describe("a release that has all traffic already", () => {
  beforeEach(() => {
    world.steps = [step(100, true)];
    world.shares = new Map([[5, 100]]);
  });

  it("and fails at /health goes back", async () => {
    world.readiness = obstacle("failing");
    world.checks = () => [failed("release")];
    expect(await rolledOut()).toMatchObject({ end: "went back" });
    expect(world.shares).toEqual(new Map([[4, 100]]));
  });

  it("and has no way back is told so again", async () => {
    world.readiness = obstacle("failing");
    world.rollbackFloor = 5;
    world.checks = () => [failed("release")];
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["no way back", expect.stringContaining("No earlier version can serve.")]);
    expect(text).not.toContain("region table");
  });

  it("and fails sets no pin that no update would carry out", async () => {
    world.checks = () => [failed("page")];
    const code = "region_prefix_removed";
    world.backErrors = [{ code, subject: "tst-sa", message: "region sa is gone.", fix: "set allowRegionLoss." }];
    const { end, text } = await rolledOut();
    expect(end).toBe("no way back");
    expect(text).toMatch(/Version 4, .* may not get the traffic:\n {2}\[region_prefix_removed\] tst-sa/);
    expect(existsSync(file)).toBe(false);
    expect(world.deployments).toBe(1);
  });

  it("and fails otherwise goes back, though it refuses the token, too", async () => {
    world.readiness = obstacle("token refused");
    world.checks = () => [failed("page"), failed("ledger", "token refused")];
    expect(await rolledOut()).toMatchObject({ end: "went back" });
  });

  it.each(["not answered", "another site", "another stack", "another version", "token refused"] as const)(
    "is not judged where the address or the token may be wrong: %s",
    async (because) => {
      world.readiness = obstacle(because);
      world.checks = () => (because === "token refused" ? [failed("ledger", because)] : [failed("page")]);
      const { end, text } = await rolledOut();
      expect([end, text]).toEqual(["error", expect.stringContaining("cannot judge anything. It says why.")]);
      expect(text).toContain(`or: npm run rollback -- --stack local --dir ${dir}`);
      expect(text).not.toContain("npm run up");
      expect(world.shares).toEqual(new Map([[5, 100]]));
    },
  );
});

describe("a release that fails once it has all traffic", () => {
  beforeEach(() => {
    world.steps = [step(10), step(100, true)];
    world.checks = () => [failed("page")];
  });

  it("sets no pin that no update would carry out", async () => {
    const code = "pin_below_rollback_floor";
    world.backErrors = [{ code, subject: "pin 4", message: "version 4 is from before version 5.", fix: "--unpin." }];
    const { end, text } = await rolledOut();
    expect(end).toBe("no way back");
    expect(text).toMatch(/Version 4, .* may not get the traffic:\n {2}\[pin_below_rollback_floor\] pin 4/);
    expect(parse(readFileSync(file, "utf8")).config.pin).toBeUndefined();
    expect(world.shares).toEqual(new Map([[5, 100]]));
  });

  it("goes back also where nobody can read whether something is in the way", async () => {
    world.checks = () => {
      world.onLook = () => {
        throw new UserError("Cloudflare answered 429.");
      };
      return [failed("page")];
    };
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["went back", expect.stringContaining("Cloudflare answered 429.\nWorse: the smoke")]);
    expect(world.shares).toEqual(new Map([[4, 100]]));
  });
});

describe("a rollout while something else is built", () => {
  it("does not claim to have gone back where its update left the bad release with all traffic", async () => {
    world.steps = [step(10, true), step(100)];
    world.checks = () => {
      world.misled = 5;
      return [failed("page")];
    };
    const { end, text } = await rolledOut();
    expect(end).toBe("error");
    expect(text).toMatch(/did not go back to version 4, though the update was complete: now it is version 5 100 %/);
    expect(text).toContain(`npm run rollback -- --stack local --dir ${dir} --to 4`);
    expect(text).not.toContain("All traffic is back");
  });

  it("stops before the next step, and leaves the traffic", async () => {
    world.steps = [step(10, true), step(50), step(100)];
    world.checks = () => {
      world.tag = OLD;
      return [well("release")];
    };
    const { end, text } = await rolledOut();
    expect(end).toBe("error");
    expect(text).toMatch(/is not the one any more that this rollout has begun with[\s\S]*\n10 % of the traffic stay/);
    expect(world.shares.get(5)).toBe(10);
  });

  it("does not begin with the release of the stable version beside one that is rolled out", async () => {
    world.steps = [step(50), step(100)];
    world.shares = new Map([
      [4, 90],
      [5, 10],
    ]);
    world.tag = OLD;
    const { end, text } = await rolledOut();
    expect(end).toBe("error");
    expect(text).toMatch(/^In local version 5 \(b+\) is rolled out, and the release and the settings of the stable/);
    expect(text).toContain(`npm run rollout -- abandon --stack local --dir ${dir}`);
    expect(text).not.toContain("stay with the release");
    expect(world.deployments).toBe(1);
  });
});

describe("a rollout that begins while a version of something else serves", () => {
  beforeEach(() => {
    world.foreign = { versionId: "v-6", number: 6, tag: undefined, digest: undefined, percentage: 100 };
  });

  it("goes on beside the version that served before, and back to that", async () => {
    world.steps = [step(10, true), step(100)];
    world.checks = () => [failed("page")];
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["went back", expect.stringMatching(/beside version 4\n[\s\S]*back at version 4/)]);
    expect(text).not.toMatch(/version 6|--to 6/);
    expect(world.shares).toEqual(new Map([[4, 100]]));
  });

  it("has nothing to compare where it is over the release itself, and names what puts that back", async () => {
    world.steps = [step(10), step(100)];
    world.shares = new Map([[5, 100]]);
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual([
      "error",
      expect.stringMatching(/something else has taken its traffic.*To give it back: npm (start|run up)/),
    ]);
    expect(world.deployments).toBe(1);
  });

  it("goes out whole where that one changed the classes: no version from before can serve beside it", async () => {
    world.steps = [step(10), step(100, true)];
    world.changedByOthers = 6;
    const { end, text } = await rolledOut();
    expect([end, text]).toEqual(["done", expect.stringMatching(/all traffic at once, because something else changed/)]);
    expect(world.shares).toEqual(new Map([[5, 100]]));
    expect(world.deployments).toBe(2);
  });
});

it("a release with another region table goes out whole, and says how to go back by hand", async () => {
  world.steps = [step(10), step(100, true)];
  world.changesRegions = true;
  world.checks = () => [failed("page")];
  const { end, text } = await rolledOut();
  expect(end).toBe("no way back");
  expect(text).toMatch(
    /goes to all traffic at once, because it has another region table[\s\S]*is bad\. .*allowRegionLoss/,
  );
  expect(text).not.toContain("No earlier version can serve");
  expect(world.deployments).toBe(2);
});

it("a release that deletes storage goes out whole: no version may have traffic that is bound to it", async () => {
  world.steps = [step(10), step(100, true)];
  world.deleted = [{ what: "KV namespace", binding: "FOO", name: "x-foo", stays: false, usedBy: undefined }];
  world.checks = () => [failed("page")];
  const { end, text } = await rolledOut();
  expect(end).toBe("no way back");
  expect(text).toMatch(
    /deletes the KV namespace x-foo, [\s\S]*is bad\. Cloudflare deploys no version that is bound to what is gone/,
  );
  expect(text).not.toContain("No earlier version can serve");
  expect([...world.shares]).toEqual([[5, 100]]);
});

it("an interrupted way back says that the release is refused by now", async () => {
  world.steps = [step(10, true), step(100)];
  world.checks = () => {
    world.interrupts = () => true;
    return [failed("page")];
  };
  const { text } = await rolledOut();
  expect(text).toContain(`Interrupted.\nrollout is 0 in ${file}, and that is the way back: leave it there.`);
  expect(text).toContain(`local refuses release ${"b".repeat(12)} from now on: refusedReleases in ${file}.`);
  expect(text).not.toContain("same command");
});

it("a rollout that gives its metrics up does not say that it asks again", async () => {
  // Four looks in as many milliseconds.
  world.steps = [{ percent: 10, minutes: 4 / 60_000, smoke: false }, step(100)];
  const { end, text } = await rolledOut();
  expect(end).toBe("not known");
  expect(text).toMatch(
    /( {2}The metrics cannot be read: 503\. Asked again\.\n)* {2}The metrics cannot be read: 503\.\nNot enough is known: The metrics cannot be read: 503\. 10 % stay/,
  );
});

it("a step is not longer where this machine's clock is behind Cloudflare's", async () => {
  world.createdOn = new Date(Date.now() + 3_600_000).toISOString();
  world.steps = [{ percent: 10, minutes: 4 / 60_000, smoke: false }, step(100)];
  expect((await rolledOut()).end).toBe("not known");
});
