import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { useBrowser, visit } from "../browser/browser.ts";

useBrowser();

const say = async (page: Page, text: string) => {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
};

/** The texts of the stored messages, in their order on the page. */
const said = (page: Page) => page.locator("#chat .log li:not(.pending) .text").allTextContents();
const eventually = (page: Page, texts: string[]) => expect.poll(() => said(page)).toEqual(texts);
const state = (page: Page) => page.locator("#chat [data-link]").textContent();
const people = (page: Page) => page.locator("#chat [data-people]").textContent();

/** Two visitors in a room of their own, both connected. */
async function twoInARoom(): Promise<[Page, Page]> {
  const ids = { room: randomUUID() };
  const [ann, ben] = await Promise.all([visit({ ids }), visit({ ids })]);
  for (const page of [ann, ben]) await expect.poll(() => state(page)).toMatch(/^Live as anon-/);
  return [ann, ben];
}

it("chats between two windows, in one order, and shows who is here and who is typing", async () => {
  const [ann, ben] = await twoInARoom();
  await expect.poll(() => people(ann)).toMatch(/^2 here.*you/);

  await ben.getByLabel("Message", { exact: true }).pressSequentially("hm");
  await expect.poll(() => ann.locator("#chat [data-typing]").textContent()).toMatch(/^anon-\w+ is typing$/);

  await say(ann, "one");
  await eventually(ben, ["one"]);
  await say(ben, "two");
  await eventually(ann, ["one", "two"]);
  await eventually(ben, ["one", "two"]);

  await ben.close();
  await expect.poll(() => people(ann)).toMatch(/^1 here/);
});

it("resumes after a cut: shows missed messages once and in order, and sends what was written meanwhile", async () => {
  const [ann, ben] = await twoInARoom();
  await say(ann, "before");
  await eventually(ben, ["before"]);

  await ann.getByRole("button", { name: "Cut the connection" }).click();
  await expect.poll(() => state(ann)).toBe("Cut");
  await expect.poll(() => people(ben)).toMatch(/^1 here/);
  await say(ben, "missed 1");
  await say(ben, "missed 2");
  await eventually(ben, ["before", "missed 1", "missed 2"]);
  await say(ann, "written while cut off");
  await expect.poll(() => ann.locator("#chat .pending .text").allTextContents()).toEqual(["written while cut off"]);
  await eventually(ann, ["before"]);

  await ann.getByRole("button", { name: "Reconnect" }).click();
  const all = ["before", "missed 1", "missed 2", "written while cut off"];
  await eventually(ann, all);
  await eventually(ben, all);
  expect(await ann.locator("#chat .mark").last().textContent()).toBe("Back. 2 missed, now here.");
  expect(await ann.locator("#chat .pending").count()).toBe(0);
});

it("sends what waits after the visitor has logged in", async () => {
  const [ann, ben] = await twoInARoom();
  await say(ann, "before");
  await eventually(ben, ["before"]);
  await ann.getByRole("button", { name: "Cut the connection" }).click();
  await expect.poll(() => state(ann)).toBe("Cut");
  await say(ann, "one");
  await say(ann, "two");
  await ann.getByRole("button", { name: "Log in as guest" }).click();
  await expect.poll(() => state(ann)).toBe("Live as guest-ada");
  for (const page of [ann, ben]) await eventually(page, ["before", "one", "two"]);
  expect(await ann.locator("#chat .pending").count()).toBe(0);
});

it("keeps what waits for a room until the visitor comes back to it", async () => {
  const [ann, ben] = await twoInARoom();
  const room = ann.getByLabel("Room id");
  const first = await room.inputValue();
  await ann.getByRole("button", { name: "Cut the connection" }).click();
  await expect.poll(() => state(ann)).toBe("Cut");
  await say(ann, "for the first");
  await room.fill(randomUUID());
  await room.press("Enter");
  await expect.poll(() => state(ann)).toMatch(/^Live/);
  expect(await ann.locator("#chat .mark").textContent()).toContain(`"${first}" (1) waits here`);
  await say(ann, "for the second");
  await eventually(ann, ["for the second"]);
  await room.fill(first);
  await room.press("Enter");
  for (const page of [ann, ben]) await eventually(page, ["for the first"]);
});

it("says that a message was not sent, beside what the visitor writes meanwhile", async () => {
  const [ann, ben] = await twoInARoom();
  await ann.getByRole("button", { name: "Cut the connection" }).click();
  await expect.poll(() => state(ann)).toBe("Cut");
  const invisible = "\u200B";
  await say(ann, invisible);
  await say(ann, "visible");
  const field = ann.getByLabel("Message", { exact: true });
  await field.fill("being written");
  await ann.getByRole("button", { name: "Reconnect" }).click();
  await eventually(ben, ["visible"]);
  await expect.poll(() => ann.locator("#chat .pending").allTextContents()).toEqual([`you not sent${invisible}`]);
  expect(await field.inputValue()).toBe("being written");
});

it("shows messages as text, even if they look like HTML", async () => {
  const [ann, ben] = await twoInARoom();
  const text = "<img src=x onerror=\"document.title='taken over'\">";
  await say(ann, text);
  await eventually(ben, [text]);
  expect(await ben.title()).toBe(projectName());
});

it("says why an id cannot be a room", async () => {
  const page = await visit({ ids: { room: "mars~lobby" } });
  await expect
    .poll(() => page.locator("#chat [data-note]").textContent())
    .toBe('id: there is no region "mars"; there are: eu, us, ap');
});

it("shows a message that is written from right to left as it is written", async () => {
  const [ann] = await twoInARoom();
  await say(ann, "שלום!");
  await eventually(ann, ["שלום!"]);
  const placeOf = (from: number) =>
    ann.evaluate(`{
      const range = new Range();
      const text = document.querySelector("#chat .log li:not(.pending) .text").firstChild;
      range.setStart(text, ${from});
      range.setEnd(text, ${from + 1});
      range.getBoundingClientRect().x;
    }`);
  expect(await placeOf(4)).toBeLessThan(Number(await placeOf(3)));
});
