/** Commands in errors and hints: they work as they are printed, on the folder that is meant. */
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { dirOption } from "../../infra/apply/hints.ts";
import { ROOT } from "../../infra/release/root.ts";

it.each([
  [".local", ""],
  [resolve(ROOT, ".local"), ""],
  [".local-two", " --dir .local-two"],
  [resolve(ROOT, "deep/er"), " --dir deep/er"],
  ["/elsewhere/account", " --dir /elsewhere/account"],
  ["it's here", " --dir 'it'\\''s here'"],
])("the account in %s", (dir, option) => {
  expect(dirOption(dir)).toBe(option);
});
