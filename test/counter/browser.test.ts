import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { useBrowser, visit } from "../browser/browser.ts";

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

it("counts once even if the answer was lost", async () => {
  const page = await visit({ ids: { counter: randomUUID() } });
  let lost = 0;
  await page.route("**/counter/increment?*", async (route) => {
    if (lost++ > 0) return route.continue();
    await route.fetch();
    await route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "Increment" }).click();
  await expect.poll(() => page.locator("#counter [data-note]").textContent()).toMatch(/^\+1, on disk after \d+ ms$/);
  expect(lost).toBe(2);
  await page.reload();
  await expect.poll(() => page.getByLabel("Count", { exact: true }).textContent()).toBe("1");
});

it("gives up on a connection that does not open", async () => {
  const page = await visit({ ids: { counter: randomUUID() } });
  const state = page.locator("#counter [data-link]");
  let attempts = 0;
  await page.routeWebSocket(/counter\/live/, () => {
    attempts++;
    return new Promise(() => {});
  });
  await page.clock.install();
  await page.reload();
  await expect.poll(() => attempts).toBe(1);
  for (let pings = 0; pings < 2; pings++) {
    expect(await state.textContent()).toBe("Connecting");
    await page.clock.fastForward(25_000);
  }
  await expect.poll(() => state.textContent()).toBe("Reconnecting");
});

it("says why an id is not valid", async () => {
  const page = await visit({ ids: { counter: "mars~visits" } });
  await expect
    .poll(() => page.locator("#counter [data-note]").textContent())
    .toBe('id: there is no region "mars"; there are: eu, us, ap');
});
