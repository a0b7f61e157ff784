/** What is wrong with an input is told in words. */
import * as v from "valibot";
import { expect, it } from "vitest";
import { parse } from "../src/parse.ts";
import { account, refusal } from "./support.ts";

const Schema = v.strictObject({
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.minLength(2), v.maxLength(3))),
  count: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9)))),
  kind: v.optional(v.picklist(["a", "b"])),
  list: v.optional(v.pipe(v.array(v.object({ id: v.string() })), v.maxLength(1))),
  own: v.optional(v.pipe(v.string(), v.regex(/^x/, "must begin with x"))),
  either: v.optional(v.union([v.object({ a: v.string() }), v.object({ b: v.string() })])),
});

it.each<[input: unknown, words: string]>([
  ["text", 'body: must be an object (it is "text")'],
  [{ name: 5 }, "name: must be text (it is 5)"],
  [{ name: ["a"] }, "name: must be text (it is a list)"],
  [{ list: "l".repeat(1_000) }, `list: must be a list (it is "${"l".repeat(49)}…)`],
  [{ name: "" }, "name: must not be empty"],
  [{ name: "a" }, "name: must have at least 2 characters"],
  [{ name: "abcd" }, "name: must have at most 3 characters"],
  [{ count: "5" }, 'count: must be a number (it is "5")'],
  [{ count: 1.5 }, "count: must be a whole number (it is 1.5)"],
  [{ count: 0 }, "count: must be at least 1 (it is 0)"],
  [{ count: 10 }, "count: must be at most 9 (it is 10)"],
  [{ kind: "c" }, 'kind: must be "a" or "b" (it is "c")'],
  [{ list: [{}] }, "list.0.id: is missing"],
  [{ list: [{ id: "a" }, { id: "b" }] }, "list: must have at most 1 entries"],
  [{ own: "y" }, "own: must begin with x"],
  [{ other: 1 }, "other: is not known here"],
  [[], "body: must be an object (it is a list)"],
  [[{ name: "ab" }], "body: must be an object (it is a list)"],
  [{ either: {} }, "either.a: is missing"],
  [{ either: { b: 5 } }, "either.b: must be text (it is 5)"],
  [{ either: 5 }, "either: must be an object (it is 5)"],
])("%j is refused: %s", (input, words) => {
  expect(() => parse(Schema, input)).toThrow(words);
});

it("says so in the body of a call, in a binding and in the filters of a tail", async () => {
  const test = await account();
  const messageOf = async (call: Promise<unknown>) => (await refusal(call)).message;
  expect(await messageOf(test.call("post", "/storage/kv/namespaces", { title: "" }))).toBe("title: must not be empty");
  expect(await messageOf(test.deploy("app", { bindings: [{ type: "kv_namespace", name: "KV" }] }))).toBe(
    "binding KV of type kv_namespace: namespace_id: is missing",
  );
  await test.deploy("app", {});
  expect(await messageOf(test.call("post", "/workers/scripts/app/tails", { filters: [{ what: 1 }] }))).toMatch(
    /^filters\.0\.what: is not known here\. The local account has the filters /,
  );
});
