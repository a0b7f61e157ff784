/** What a stack may say about hot counters. */
import * as v from "valibot";
import { expect, it } from "vitest";
import { counter } from "../../../worker/counter/pattern.ts";

const named = (id: string) => v.safeParse(counter.settings.counter, { shards: { [id]: 8 } }).issues?.[0]?.message;

it("names counters by ids, with their region or without", () => {
  for (const id of ["likes", "eu~visits", "a/b c", "日本"]) expect(named(id)).toBeUndefined();
});

it("names nothing that is no counter's id, because it would be ignored", () => {
  for (const id of ["", " likes", "likes ", "likes:1", "eu~a~b", "~likes", "eu~"]) {
    expect(named(id), id).toBe("must be a counter's id, such as likes or eu~likes");
  }
});
