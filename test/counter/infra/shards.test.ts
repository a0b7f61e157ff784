/** What a stack may say about hot counters. */
import * as v from "valibot";
import { expect, it } from "vitest";
import { parsePublicSettings } from "../../../infra/stack/config.ts";
import { SettingsError } from "../../../infra/stack/mistakes.ts";
import { counter } from "../../../worker/counter/pattern.ts";

const named = (id: string) => v.safeParse(counter.settings.counter, { shards: { [id]: 8 } }).issues?.[0]?.message;

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

it("names counters by ids, with their region or without", () => {
  for (const id of ["likes", "eu~visits", "a/b c", "日本"]) expect(named(id)).toBeUndefined();
});

it("names nothing that is no counter's id, because it would be ignored", () => {
  for (const id of ["", " likes", "likes ", "likes:1", "eu~a~b", "~likes", "eu~"]) {
    expect(named(id), id).toBe("must be a counter's id, such as likes or eu~likes");
  }
});

it("puts hot counters into every region of the stack", () => {
  expect(problems({ likes: 4, "us~likes": 2 })).toEqual([]);
});

it("names no counter outside its regions, and none twice", () => {
  expect(problems({ "xx~likes": 2, likes: 4, "eu~likes": 8 })).toEqual([
    expect.stringMatching(
      /^counter.shards names "xx~likes", and there is no region "xx"; there are: eu, us, ap\. Fix: /,
    ),
    expect.stringMatching(/^counter.shards names the same object twice, as "likes" and as "eu~likes"\. Fix: /),
  ]);
});
