/** Commands in errors and hints: they work as they are printed, on the folder that is meant. */
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { apiHere, dirOption } from "../../infra/apply/hints.ts";
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

it("the API's address is one that answers on this machine, where the stack has a host name, too", () => {
  const own = "http://my-app.local.localhost:8787";
  expect(apiHere(own, 8787)).toBe(own);
  expect(apiHere("https://shop.example.com", 8787)).toBe(
    "https://shop.example.com, here: curl -H 'Host: shop.example.com' http://127.0.0.1:8787/",
  );
});
