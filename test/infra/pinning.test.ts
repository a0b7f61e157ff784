/** A pin that is set, or taken out: what the person reads where the account says another thing than the update, or nothing. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { setPin, takePinOut } from "../../infra/rollout/pinning.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { UserError } from "../../infra/stack/user-error.ts";
import { preview } from "./preview.ts";

/** The exit code of the update. */
let code = 0;
vi.mock("../../infra/apply/on-cli.ts", () => ({ onCli: async () => code }));

const dir = mkdtempSync(join(tmpdir(), "pinning-"));
const file = join(dir, "Pulumi.local.yaml");
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(() => {
  code = 0;
  rmSync(file, { force: true });
  changeSetting(file, "pin", 3);
});

const { live } = preview();
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
      tag: number === "5" ? "new" : "old",
      digest: "a".repeat(64),
    }));
    return { ...live, serving };
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
        `^${ended}, and whether version 4 has all traffic cannot be read: GET /deployments was answered 503\\.\\n4 is set as pin in .*--to 4; to undo it: --unpin\\.\\nSee: npm run rollout -- status --stack local$`,
      ),
    );
    expect(pin()).toBe(4);
  });
});

describe("a pin that is taken out", () => {
  const next = { tag: "new", traffic: { release: 100, findings: [] }, refresh: false };

  it("says nothing else where what is to serve does", async () => {
    await takePinOut(stack({ 5: 100 }), next);
    expect(pin()).toBeUndefined();
  });

  it("does not claim it where another version serves, and says what does", async () => {
    expect(await failure(takePinOut(stack({ 4: 90, 5: 10 }), next))).toMatch(
      /^The pin is out of .*, and the update was complete\. But something else .* now it is .*90 %.*10 %\. See: npm run rollout -- status --stack local$/,
    );
  });

  it("does not claim it where the account cannot be read", async () => {
    expect(await failure(takePinOut(stack(), next))).toMatch(
      /^The pin is out of .* What serves now cannot be read: GET .* 503\.\nSee: npm run rollout -- status --stack local$/,
    );
    expect(pin()).toBeUndefined();
  });
});
