import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import * as Y from "yjs";
import { stack, useBrowser, visit } from "../browser/browser.ts";

useBrowser();

const panel = (page: Page) => page.locator("#document");
const text = (page: Page) => page.getByLabel("Text", { exact: true });
const written = (page: Page, value: string) => expect.poll(() => text(page).inputValue()).toBe(value);
const state = (page: Page) => panel(page).locator("[data-link]").textContent();
const note = (page: Page) => panel(page).locator("[data-note]").textContent();
const people = (page: Page) => panel(page).locator(".people").textContent();

async function open(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Open the document" }).click();
  await page.getByLabel("Your name").fill(name);
  await expect.poll(() => state(page)).toBe("Live");
}

const YJS = "application/octet-stream";
const addressOfDocument = (id: string) => new URL(`document/${id}`, stack.url);

/** Merges the edits of a document into that of the stack. */
async function post(id: string, doc: Y.Doc): Promise<void> {
  const body = new Uint8Array(Y.encodeStateAsUpdate(doc));
  const { status } = await fetch(addressOfDocument(id), { method: "POST", headers: { "Content-Type": YJS }, body });
  expect(status).toBe(200);
}

/** What the stack has of a document's text. */
async function content(id: string): Promise<unknown> {
  const response = await fetch(addressOfDocument(id), { headers: { Accept: YJS } });
  const doc = new Y.Doc();
  Y.applyUpdate(doc, new Uint8Array(await response.arrayBuffer()));
  return doc.getText("text").toDelta();
}

async function remove(id: string): Promise<void> {
  const headers = { Authorization: `Bearer ${stack.adminToken}` };
  const { status } = await fetch(addressOfDocument(id), { method: "DELETE", headers });
  expect(status).toBe(200);
}

/** Cuts the connection of the panel. */
async function cut(page: Page): Promise<void> {
  await panel(page).getByRole("button", { name: "Cut the connection" }).click();
  await expect.poll(() => state(page)).toBe("Cut");
}

/** How many characters are before the cursor of the other. */
const markedAt = (page: Page) =>
  page.evaluate(`document.querySelector("#document .marks i").previousSibling?.textContent.length ?? 0`);

/** Two visitors who have a document of their own open. */
async function two(): Promise<[Page, Page]> {
  const ids = { document: randomUUID() };
  const [ann, ben] = await Promise.all([visit({ ids }), visit({ ids })]);
  await Promise.all([open(ann, "Ann"), open(ben, "Ben")]);
  return [ann, ben];
}

/** A visitor whose document has the text "first", and one version with it. */
async function withVersion() {
  const page = await visit({ ids: { document: randomUUID() } });
  await open(page, "Ann");
  await text(page).fill("first");
  await page.getByRole("button", { name: "Keep a version" }).click();
  const slider = page.getByLabel("Versions");
  await slider.waitFor();
  return { page, slider };
}

it("writes one text in two windows, and shows who is there and where", async () => {
  const [ann, ben] = await two();
  await expect.poll(() => people(ann)).toMatch(/^2 here.*Ben/);
  await text(ann).pressSequentially("Hello");
  await written(ben, "Hello");
  await text(ben).press("Control+End");
  await text(ben).pressSequentially(", world");
  await written(ann, "Hello, world");
  await expect.poll(() => panel(ann).locator(".marks i b").allTextContents()).toEqual(["Ben"]);
  await ben.close();
  await expect.poll(() => people(ann)).toMatch(/^1 here/);
});

it("keeps what is written apart, and merges it on return", async () => {
  const [ann, ben] = await two();
  await text(ann).fill("middle");
  await written(ben, "middle");
  await cut(ben);
  await text(ben).press("Control+Home");
  await text(ben).pressSequentially("begin ");
  await text(ann).press("Control+End");
  await text(ann).pressSequentially(" end");
  expect(await text(ben).inputValue()).toBe("begin middle");
  await panel(ben).getByRole("button", { name: "Reconnect" }).click();
  for (const page of [ann, ben]) await written(page, "begin middle end");
});

it("shows what is no text as one character, and edits beside it", async () => {
  const ids = { document: randomUUID() };
  const image = { image: "x" };
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "a😀b");
  doc.getText("text").insertEmbed(3, image);
  await post(ids.document, doc);
  const [ann, ben] = await Promise.all([visit({ ids }), visit({ ids })]);
  await Promise.all([open(ann, "Ann"), open(ben, "Ben")]);
  await written(ann, "a😀\uFFFCb");
  await text(ann).press("Control+End");
  await text(ann).pressSequentially("!");
  await written(ben, "a😀\uFFFCb!");
  expect(await content(ids.document)).toEqual([{ insert: "a😀" }, { insert: image }, { insert: "b!" }]);
  await expect.poll(() => markedAt(ben)).toBe("a😀\uFFFCb!".length);
  await text(ann).press("Control+Home");
  await text(ann).pressSequentially("<");
  await written(ben, "<a😀\uFFFCb!");
  for (let steps = 0; steps < 2; steps++) await text(ann).press("ArrowRight");
  await text(ann).press("Delete");
  await written(ben, "<a😀b!");
  expect(await content(ids.document)).toEqual([{ insert: "<a😀b!" }]);
});

it("leaves a composition alone while others write, and merges it at its end", async () => {
  const [ann, ben] = await two();
  await text(ann).pressSequentially("old new");
  await written(ben, "old new");
  const keyboard = await ann.context().newCDPSession(ann);
  const compose = (letters: string) =>
    keyboard.send("Input.imeSetComposition", {
      text: letters,
      selectionStart: letters.length,
      selectionEnd: letters.length,
    });
  for (let letters = 0; letters < "new".length; letters++) await text(ann).press("Shift+ArrowLeft");
  await compose("にほ");
  expect(await text(ann).inputValue()).toBe("old にほ");
  // Before what Ann replaces, and just there.
  await text(ben).press("Control+Home");
  await text(ben).pressSequentially("1");
  for (let steps = 0; steps < "old ".length; steps++) await text(ben).press("ArrowRight");
  await text(ben).pressSequentially("2");
  await expect.poll(() => markedAt(ann)).toBe("1old 2".length);
  expect(await text(ann).inputValue()).toBe("old にほ");
  await compose("にほん");
  expect(await text(ann).inputValue()).toBe("old にほん");
  await keyboard.send("Input.insertText", { text: "日本" });
  for (const page of [ann, ben]) await written(page, "1old 2日本");
  await text(ann).pressSequentially("!");
  for (const page of [ann, ben]) await written(page, "1old 2日本!");
});

it("sends what waits after the visitor has logged in", async () => {
  const [ann, ben] = await two();
  await text(ann).fill("before");
  await written(ben, "before");
  await cut(ann);
  await text(ann).press("Control+End");
  await text(ann).pressSequentially(", after");
  await ann.getByRole("button", { name: "Log in as guest" }).click();
  await written(ben, "before, after");
  await written(ann, "before, after");
  await expect.poll(() => state(ann)).toBe("Live");
});

it("keeps what waits for a document until the visitor comes back to it", async () => {
  const [ann, ben] = await two();
  const id = ann.getByLabel("Document id");
  const first = await id.inputValue();
  await cut(ann);
  await text(ann).fill("for the first");
  await id.fill(randomUUID());
  await id.press("Enter");
  await expect.poll(() => note(ann)).toContain(`What you wrote in "${first}" waits here.`);
  expect(await text(ann).inputValue()).toBe("");
  await id.fill(first);
  await id.press("Enter");
  for (const page of [ann, ben]) await written(page, "for the first");
  await expect.poll(() => note(ann)).toBe("");
});

it("says that the document was deleted, takes no more text, and begins it anew when asked to", async () => {
  const [ann] = await two();
  const id = await ann.getByLabel("Document id").inputValue();
  await text(ann).fill("old");
  await expect.poll(() => content(id)).toEqual([{ insert: "old" }]);
  await remove(id);
  await expect.poll(() => state(ann)).toBe("Deleted");
  expect(await note(ann)).toMatch(/^The document was deleted/);
  expect(await text(ann).inputValue()).toBe("old");
  expect(await text(ann).getAttribute("readonly")).not.toBeNull();
  expect(await panel(ann).getByRole("button", { name: "Cut the connection" }).count()).toBe(0);

  await panel(ann).getByRole("button", { name: "Begin it anew" }).click();
  await expect.poll(() => state(ann)).toBe("Live");
  await text(ann).fill("new");
  await expect.poll(() => content(id)).toEqual([{ insert: "new" }]);
});

it("says on return that the document was deleted, and does not bring it back", async () => {
  const [ann] = await two();
  const id = await ann.getByLabel("Document id").inputValue();
  await text(ann).fill("old");
  await expect.poll(() => content(id)).toEqual([{ insert: "old" }]);
  await cut(ann);
  await remove(id);
  await panel(ann).getByRole("button", { name: "Reconnect" }).click();
  await expect.poll(() => state(ann)).toBe("Deleted");
  expect((await fetch(addressOfDocument(id))).status).toBe(404);
  expect(await panel(ann).getByRole("button", { name: "Begin it anew" }).isEnabled()).toBe(true);
});

it("goes through the versions in time, and restores one", async () => {
  const [ann, ben] = await two();
  await text(ann).fill("first");
  await written(ben, "first");
  await ann.getByLabel("Name of a version").fill("draft");
  await ann.getByRole("button", { name: "Keep a version" }).click();
  const slider = ann.getByLabel("Versions");
  await slider.waitFor();
  await text(ann).fill("second");
  await written(ben, "second");
  await slider.fill("0");
  await written(ann, "first");
  expect(await text(ann).getAttribute("readonly")).not.toBeNull();
  expect(await slider.getAttribute("aria-valuetext")).toMatch(/^draft, /);
  await ann.getByRole("button", { name: "Restore this version" }).press("Enter");
  for (const page of [ann, ben]) await written(page, "first");
  await expect.poll(() => slider.getAttribute("aria-valuetext")).toBe("Now");
  expect(await ann.evaluate("document.activeElement.type")).toBe("range");
});

it("loads the editor only when the document is opened", async () => {
  const page = await visit({ ids: { document: randomUUID() } });
  const loaded: string[] = [];
  page.on("request", (request) => loaded.push(new URL(request.url()).pathname));
  await page.getByRole("button", { name: "Increment" }).waitFor();
  expect(loaded.filter((path) => path.startsWith("/later/"))).toEqual([]);
  await open(page, "Ann");
  expect(loaded.filter((path) => path.startsWith("/later/"))).toEqual(["/later/document.js"]);
});

it("says why an id cannot be a document", async () => {
  const page = await visit({ ids: { document: "mars~notes" } });
  await page.getByRole("button", { name: "Open the document" }).click();
  await expect.poll(() => panel(page).locator("[data-note]").textContent()).toContain('there is no region "mars"');
});

it("says that a version cannot be read, and shows the text as it is now", async () => {
  const { page, slider } = await withVersion();
  await text(page).fill("second");
  await page.route("**/versions/1", (route) => route.abort());
  await slider.fill("0");
  await expect.poll(() => note(page)).toBe("The version did not load. Are you online?");
  expect(await slider.getAttribute("aria-valuetext")).toBe("Now");
  await written(page, "second");
});

it("keeps the versions that it knows where they cannot be read again", async () => {
  const { page, slider } = await withVersion();
  await page.route("**/versions", (route) => route.fulfill({ status: 503, json: { detail: "Try again" } }));
  await cut(page);
  await panel(page).getByRole("button", { name: "Reconnect" }).click();
  await expect.poll(() => note(page)).toBe("The versions could not be listed: Try again");
  expect(await slider.isVisible()).toBe(true);
});

it("does not say that a version was not restored where only the list of versions cannot be read", async () => {
  const { page, slider } = await withVersion();
  await text(page).fill("second");
  await slider.fill("0");
  await written(page, "first");
  await page.route("**/versions", (route) => route.fulfill({ status: 503, json: { detail: "Try again" } }));
  await page.getByRole("button", { name: "Restore this version" }).click();
  await expect.poll(() => note(page)).toBe("The versions could not be listed: Try again");
  expect(await slider.getAttribute("aria-valuetext")).toBe("Now");
  await written(page, "first");
});

it("leaves the focus where it is when the visitor logs in elsewhere", async () => {
  const page = await visit({ ids: { document: randomUUID() } });
  await open(page, "Ann");
  // A browser that gives buttons no focus by a click leaves it to the page.
  await page.evaluate(`{
    document.activeElement.blur();
    document.querySelector("#session form").requestSubmit();
  }`);
  await expect.poll(() => page.locator("#session [data-link]").textContent()).toMatch(/^Logged in/);
  await expect.poll(() => state(page)).toBe("Live");
  expect(await page.evaluate("document.activeElement === document.body")).toBe(true);
});

it("goes on in the text with the keyboard, once it is open", async () => {
  const page = await visit({ ids: { document: randomUUID() } });
  await page.getByRole("button", { name: "Open the document" }).press("Enter");
  await text(page).waitFor();
  await page.keyboard.type("typed");
  await written(page, "typed");
});
