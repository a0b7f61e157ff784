import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { addressOf, stack, useBrowser, visit } from "../browser/browser.ts";

useBrowser();

const note = (page: Page) => page.locator("#session [data-note]").textContent();
const state = (page: Page) => page.locator("#session [data-link]").textContent();
const secondsLeft = async (page: Page, end: "sliding" | "absolute") => {
  const [seconds = 0, minutes = 0, hours = 0] = ((await page.locator(`#session [data-${end}]`).textContent()) ?? "")
    .split(":")
    .map(Number)
    .reverse();
  return (hours * 60 + minutes) * 60 + seconds;
};
const logIn = async (page: Page, name: string) => {
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Log in as guest" }).click();
  await expect.poll(() => state(page)).toBe(`Logged in as guest-${name}, guest`);
};

it("logs in as a guest, by a cookie that no script can read, and logs out", async () => {
  const page = await visit();
  await logIn(page, "ada");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: "__Host-session", httpOnly: true, secure: true, sameSite: "Lax" });
  expect(await page.evaluate("document.cookie")).toBe("");
  await page.reload();
  await expect.poll(() => state(page)).toBe("Logged in as guest-ada, guest");

  await page.getByRole("button", { name: "Log out" }).click();
  await expect.poll(() => note(page)).toBe("Logged out. Nothing of the session is stored any more.");
  expect(await page.context().cookies()).toEqual([]);
  expect(await page.getByRole("button", { name: "Read it" }).isDisabled()).toBe(true);
});

it("logs in as a guest also where the page has the admin token", async () => {
  const page = await visit();
  await page.goto(`${addressOf({ ledger: crypto.randomUUID() })}#admin=${stack.adminToken}`);
  await expect.poll(() => page.locator("#ledger [data-token]").inputValue()).toBe(stack.adminToken);
  await logIn(page, "ada");
});

it("is the same user in the chat room", async () => {
  const page = await visit({ ids: { room: crypto.randomUUID() } });
  await logIn(page, "grace");
  await expect.poll(() => page.locator("#chat [data-link]").textContent()).toBe("Live as guest-grace");
  await page.getByRole("button", { name: "Log out" }).click();
  await expect.poll(() => page.locator("#chat [data-link]").textContent()).toMatch(/^Live as anon-/);
});

it("counts down to both ends; reading moves the near end away, but not the absolute one", async () => {
  const page = await visit();
  await logIn(page, "ada");
  expect(await secondsLeft(page, "absolute")).toBeGreaterThan(11 * 3600);
  // The stack's sessions live a minute unless they are read. Their end is moved in steps of half a minute.
  await expect.poll(() => secondsLeft(page, "sliding")).toBeLessThan(29);
  const far = await secondsLeft(page, "absolute");
  await page.getByRole("button", { name: "Read it" }).click();
  await expect.poll(() => note(page)).toMatch(/^Read\. The end moved out by 0:[2-5]\d\.$/);
  expect(await secondsLeft(page, "sliding")).toBeGreaterThan(45);
  expect(await secondsLeft(page, "absolute")).toBeLessThanOrEqual(far);
});

it("says that the session has ended elsewhere", async () => {
  const page = await visit();
  await logIn(page, "ada");
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByRole("button", { name: "Log out" }).click();
  await expect.poll(() => state(other)).toBe("Logged out");
  await page.getByRole("button", { name: "Read it" }).press("Enter");
  await expect.poll(() => note(page)).toBe("The session is gone.");
  expect(await state(page)).toBe("Logged out");
  expect(await page.evaluate("document.activeElement.hasAttribute('data-user')")).toBe(true);
});

it("does not say that a session has ended where the page cannot know: sockets and other windows read it too", async () => {
  const page = await visit();
  await page.clock.install();
  await page.reload();
  await logIn(page, "ada");
  await page.clock.fastForward("01:01");
  await expect.poll(() => note(page)).toBe("The session is over, unless something else has read it. Read it to see.");
  await page.getByRole("button", { name: "Read it" }).click();
  await expect.poll(() => state(page)).toBe("Logged in as guest-ada, guest");
});

it("says that the browser has not kept the cookie", async () => {
  const page = await visit();
  await page.route("**/session", async (route) => {
    const response = await route.fetch();
    await page.context().clearCookies();
    await route.fulfill({ status: response.status(), body: await response.body() });
  });
  await page.getByRole("button", { name: "Log in as guest" }).click();
  await expect
    .poll(() => note(page))
    .toBe("The browser has not kept the session's cookie. Safari keeps it over https only.");
  expect(await state(page)).toBe("Logged out");
});
