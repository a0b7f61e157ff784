import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { useBrowser, visit } from "./browser.ts";

useBrowser();

it("counts in two windows at once, and both see each other's counts", async () => {
  const ids = { counter: randomUUID() };
  const [mine, theirs] = await Promise.all([visit({ ids }), visit({ ids })]);
  const count = (page: typeof mine) => page.getByLabel("Count", { exact: true });
  await Promise.all([mine, theirs].map((page) => expect.poll(() => count(page).textContent()).toBe("0")));

  await mine.getByRole("button", { name: "Increment" }).click();
  await expect.poll(() => count(theirs).textContent()).toBe("1");
  await theirs.getByLabel("Step").fill("41");
  await theirs.getByRole("button", { name: "Increment" }).click();
  await expect.poll(() => count(mine).textContent()).toBe("42");
});
