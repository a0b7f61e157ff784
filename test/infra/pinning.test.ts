/** A pin that is set, or taken out: what the person reads where the account says another thing than the update, or nothing. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { UserError } from "../../infra/common/user-error.ts";
import { AS_LEFT, AS_LEFT_TAG } from "../../infra/rollout/as-left.ts";
import { setPin, takePinOut } from "../../infra/rollout/pinning.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { scratch } from "../scratch.ts";
import { NEW, OLD, preview } from "./preview.ts";

/** The exit code of the update. */
let code = 0;
/** What happens while the update runs. */
let meanwhile = () => {};
vi.mock("../../infra/apply/on-cli.ts", () => ({
  onCli: async () => {
    meanwhile();
    return code;
  },
}));

const dir = scratch();
const file = join(dir, "Pulumi.local.yaml");
beforeEach(() => {
  code = 0;
  meanwhile = () => {};
  deployment = "d-1";
  rmSync(file, { force: true });
  changeSetting(file, "pin", 3);
});

const { live } = preview();
let deployment = "d-1";
const deployed = () => ({ id: deployment, message: "durable-stack", source: "api", createdOn: undefined });
/** A stack whose Worker serves these shares by the numbers of its versions; none: it cannot be read. */
const stack = (shares?: Readonly<Record<number, number>>) => ({
  stack: "local",
  dir,
  live: async () => {
    if (!shares) throw new UserError("GET /deployments was answered 503.");
    const serving = Object.entries(shares).map(([number, percentage]) => ({
      versionId: `v-${number}`,
      number: Number(number),
      percentage,
      tag: number === "5" ? NEW : OLD,
      digest: "a".repeat(64),
    }));
    return { ...live, serving, deployment: deployed() };
  },
});
const pin = () => parse(readFileSync(file, "utf8")).config?.pin;
const failure = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return error instanceof Error ? error.message : "";
};

describe("a pin that is set", () => {
  it("says where it stands once the version has all traffic", async () => {
    expect(await setPin(stack({ 4: 100 }), 4)).toMatch(/^pin in .*Pulumi\.local\.yaml$/);
    expect(pin()).toBe(4);
  });

  it.each([
    [0, "The update was complete"],
    [1, "The update failed"],
  ])("is told also where the account cannot be read afterwards (exit code %i)", async (exit, ended) => {
    code = exit;
    const text = await failure(setPin(stack(), 4));
    expect(text).toMatch(
      new RegExp(
        `^${ended}, and whether version 4 has all traffic cannot be read: GET /deployments was answered 503\\.\\n4 is set as pin in .*--to 4; to undo it: --unpin\\.\\nSee: npm run rollout -- status --stack local --dir ${dir}$`,
      ),
    );
    expect(pin()).toBe(4);
  });
});

describe("a pin that is taken out", () => {
  const next = {
    tag: NEW,
    traffic: { release: 100, findings: [] },
    live: { deployment: deployed() },
    refresh: false,
  };

  it("says nothing else where what is to serve does", async () => {
    await takePinOut(stack({ 5: 100 }), next);
    expect(pin()).toBeUndefined();
  });

  it("does not claim it where another version serves, and says what does", async () => {
    expect(await failure(takePinOut(stack({ 4: 90, 5: 10 }), next))).toMatch(
      /^The pin is out of .*, and the update was complete\. But something else .* now it is .*90 %.*10 %\. See: npm run rollout -- status --stack local --dir \S+$/,
    );
  });

  it("does not claim it where the account cannot be read", async () => {
    expect(await failure(takePinOut(stack(), next))).toMatch(
      /^The pin is out of .* What serves now cannot be read: GET .* 503\.\nSee: npm run rollout -- status --stack local --dir \S+$/,
    );
    expect(pin()).toBeUndefined();
  });

  it("is taken out only where the deployment and the release are those that were asked about", async () => {
    let told: unknown;
    meanwhile = () => {
      told = [process.env[AS_LEFT], process.env[AS_LEFT_TAG]];
    };
    await takePinOut(stack({ 5: 100 }), next);
    expect(told).toEqual(["d-1", NEW]);
  });

  it("is put back where its update has changed nothing, with what stands beside it", async () => {
    code = 1;
    const text = "config:\n  pin: 3 # The counter was wrong.\n  anonymousDays: 8\n";
    writeFileSync(file, text);
    expect(await failure(takePinOut(stack({ 3: 100 }), next))).toMatch(
      /^The update failed\. The traffic is as it was, and so are the settings in .*\. Correct what is above, then: npm run rollback -- --stack local .*--unpin$/,
    );
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("is put back where somebody has gone back to another version since", async () => {
    code = 1;
    meanwhile = () => {
      deployment = "d-2";
    };
    expect(await failure(takePinOut(stack({ 2: 100 }), next))).toMatch(
      /^Something else has changed the traffic of local since that was asked: now it is version 2 100 %\. It is left so\. See: /,
    );
    expect(pin()).toBe(3);
  });

  it("stays out where the update has failed after it has sent the traffic", async () => {
    code = 1;
    meanwhile = () => {
      deployment = "d-2";
    };
    expect(await failure(takePinOut(stack({ 5: 100 }), next))).toMatch(
      /^The update failed\. The pin is out of .*, and the traffic may be another\.\nCorrect what is above, then: npm run up/,
    );
    expect(pin()).toBeUndefined();
  });

  it("is not put back over one that somebody has set meanwhile", async () => {
    code = 1;
    meanwhile = () => changeSetting(file, "pin", 2);
    expect(await failure(takePinOut(stack({ 3: 100 }), next))).toContain("something else has changed");
    expect(pin()).toBe(2);
  });
});
