/** A stack's hot counters: each must be in one of its regions, once. */
import { describe, expect, it } from "vitest";
import { parsePublicSettings, SettingsError } from "../../../infra/stack/config.ts";

const valid = { accountId: "0".repeat(32), environmentPrefix: "stg-", homeRegion: "eu" };

/** What is wrong with a stack that has these hot counters. */
function problems(shards: Record<string, number>): readonly string[] {
  try {
    const counter = JSON.stringify({ shards });
    parsePublicSettings({ project: "my-app", stack: "staging" }, { ...valid, counter });
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe("hot counters", () => {
  it("may be in every region of the stack", () => {
    expect(problems({ likes: 4, "us~likes": 2 })).toEqual([]);
  });

  it("are refused in no region, or named twice", () => {
    expect(problems({ "xx~likes": 2, likes: 4, "eu~likes": 8 })).toEqual([
      expect.stringMatching(
        /^counter.shards names "xx~likes", and there is no region "xx"; there are: eu, us, ap\. Fix: /,
      ),
      expect.stringMatching(/^counter.shards names the same object twice, as "likes" and as "eu~likes"\. Fix: /),
    ]);
  });
});
