import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import * as v from "valibot";
import { expect, it } from "vitest";
import { stack, useBrowser, visit } from "../browser/browser.ts";

useBrowser();

const note = (page: Page) => page.locator("#ledger [data-note]");
const balances = async (page: Page) => {
  const rows = await page.getByRole("list", { name: "Balances" }).getByRole("listitem").allInnerTexts();
  return rows.map((row) => row.split(/\s+/));
};
const deposit = async (page: Page, account: string, amount: number, token = stack.adminToken) => {
  await page.getByLabel("Account", { exact: true }).fill(account);
  await page.locator("#ledger [data-deposit]").getByLabel("Amount").fill(String(amount));
  await page.getByLabel("Admin token").fill(token);
  await page.getByRole("button", { name: "Deposit" }).click();
};

it("transfers money, refuses an overdraft, and audits itself", async () => {
  const page = await visit({ ids: { ledger: randomUUID() } });
  await expect.poll(() => page.locator("#ledger .blank").textContent()).toContain("No money here yet");

  await deposit(page, "alice", 100);
  await expect.poll(() => balances(page)).toEqual([["alice", "100"]]);
  await page.locator("#ledger [data-transfer]").getByLabel("Amount").fill("30");
  await page.getByRole("button", { name: "Transfer" }).click();
  const after = [
    ["alice", "70"],
    ["bob", "30"],
  ];
  await expect.poll(() => balances(page)).toEqual(after);

  await page.getByRole("button", { name: "Overdraw" }).click();
  await expect.poll(() => note(page).textContent()).toBe("Insufficient balance: 70 < 71. Nothing moved.");
  expect(await page.locator("#ledger .display[data-alert]").count()).toBe(1);
  expect(await balances(page)).toEqual(after);

  await page.getByRole("button", { name: "Audit" }).click();
  await expect.poll(() => note(page).textContent()).toBe("Audit: 2 transactions over 2 accounts add up.");
  await page.reload();
  await expect.poll(() => balances(page)).toEqual(after);
});

it("shows a transfer cross to another ledger, and arrive there", async () => {
  const [mine, other] = [randomUUID(), randomUUID()];
  const page = await visit({ ids: { ledger: mine } });
  await deposit(page, "alice", 100);
  await expect.poll(() => balances(page)).toEqual([["alice", "100"]]);
  const form = page.locator("#ledger [data-transfer]");
  await form.getByLabel("To").fill(`${other}/bob`);
  await page.getByRole("button", { name: "Transfer" }).click();
  await expect.poll(() => page.locator("#ledger [data-state]").first().textContent()).toBe("arrived");
  await expect.poll(() => note(page).textContent()).toMatch(/^It arrived in eu~.*\/bob after \d+ ms, exactly once\.$/);
  const there = await visit({ ids: { ledger: other } });
  await expect.poll(() => balances(there)).toEqual([["bob", "5"]]);
  await expect.poll(() => there.locator("#ledger [data-state]").first().textContent()).toBe("from another ledger");
});

it("shows a command for another ledger with the account that is written, also where it has its ledger", async () => {
  const page = await visit();
  const shown = () => page.locator("#ledger .curl pre").textContent();
  await expect.poll(shown).toContain('"to":"other/bob"');
  await page.locator("#ledger [data-transfer]").getByLabel("To").fill("other/carol");
  await expect.poll(shown).toContain('"to":"other/carol","amount":1}');
  expect(await shown()).not.toContain("other/other");
});

it("shows a transfer in every window of a browser", async () => {
  const ids = { ledger: randomUUID() };
  const mine = await visit({ ids });
  const theirs = await mine.context().newPage();
  await theirs.goto(mine.url());
  await expect.poll(() => theirs.locator("#ledger .blank").count()).toBe(1);
  await deposit(mine, "carol", 7);
  await expect.poll(() => balances(theirs)).toEqual([["carol", "7"]]);
});

it("says that a deposit needs the right token", async () => {
  const page = await visit({ ids: { ledger: randomUUID() } });
  await deposit(page, "alice", 1, "a-guess");
  await expect.poll(() => note(page).textContent()).toMatch(/^The token shown is invalid.* Nothing moved\.$/);
});

it("does not say that nothing moved where it cannot know: behind a fault it may have", async () => {
  const page = await visit({ ids: { ledger: randomUUID() } });
  await page.route("**/transfer", (route) => route.fulfill({ status: 502, body: "<h1>Bad gateway</h1>" }));
  await page.getByRole("button", { name: "Transfer" }).click();
  await expect.poll(() => note(page).textContent()).toBe("The Worker answered 502.");
});

it("does not say that nothing moved where the answer was lost, and the call made again is one too many", async () => {
  const page = await visit({ ids: { ledger: randomUUID() } });
  await deposit(page, "alice", 100);
  await expect.poll(() => balances(page)).toEqual([["alice", "100"]]);
  let calls = 0;
  await page.route("**/transfer", async (route) => {
    if (calls++ > 0) return route.fulfill({ status: 429, json: { detail: "Too many requests" } });
    await route.fetch();
    await route.abort();
  });
  await page.getByRole("button", { name: "Transfer" }).click();
  await expect.poll(() => note(page).textContent()).toBe("Too many requests.");
  await page.reload();
  await expect.poll(() => balances(page)).toContainEqual(["bob", "5"]);
});

it("says once why it cannot be read, waits as told, and leaves what the visitor did meanwhile", async () => {
  const page = await visit();
  const state = page.locator("#ledger [data-link]");
  await expect.poll(() => state.textContent()).toBe("Up to date");
  const asked: number[] = [];
  await page.route("**/transactions?*", (route) => {
    asked.push(Date.now());
    if (asked.length > 2) return route.continue();
    const headers = { "Retry-After": "4" };
    return route.fulfill({ status: 429, headers, json: { detail: "Too many requests" } });
  });
  await page.evaluate(`{
    globalThis.said = [];
    const note = document.querySelector("#ledger [data-note]");
    new MutationObserver(() => said.push(note.textContent)).observe(note, { childList: true });
  }`);
  await page.getByLabel("Ledger id").fill(randomUUID());
  await page.keyboard.press("Enter");
  await expect.poll(() => note(page).textContent()).toBe("Too many requests");
  await page.getByRole("button", { name: "Audit" }).click();
  const audited = "Audit: 0 transactions over 0 accounts add up.";
  await expect.poll(() => note(page).textContent()).toBe(audited);
  await expect.poll(() => state.textContent(), { timeout: 15_000 }).toBe("Up to date");
  expect(await note(page).textContent()).toBe(audited);
  const said = v.parse(v.array(v.string()), await page.evaluate("said"));
  expect(said.filter((each) => each === "Too many requests")).toHaveLength(1);
  const [first = 0, second = 0] = asked;
  expect(second - first).toBeGreaterThanOrEqual(3_900);
});

it("comes back by itself where it could not be read", async () => {
  const page = await visit();
  const state = page.locator("#ledger [data-link]");
  await expect.poll(() => state.textContent()).toBe("Up to date");
  await page.context().setOffline(true);
  await page.getByLabel("Ledger id").fill(randomUUID());
  await page.keyboard.press("Enter");
  await expect.poll(() => state.textContent()).toBe("Not loaded");
  await page.context().setOffline(false);
  await expect.poll(() => state.textContent()).toBe("Up to date");
  expect(await note(page).textContent()).toBe("");
});

it("shows who paid whom also by names that are written from right to left", async () => {
  const page = await visit({ ids: { ledger: randomUUID() } });
  await deposit(page, "אבי", 9);
  await expect.poll(() => balances(page)).toEqual([["אבי", "9"]]);
  await page.getByLabel("From").fill("אבי");
  await page.getByLabel("To", { exact: true }).fill("דנה");
  await page.getByRole("button", { name: "Transfer" }).click();
  const names = page.locator("#ledger [data-entries] li").first().locator("bdi");
  await expect.poll(() => names.allTextContents()).toEqual(["אבי", "דנה"]);
  const [payer, payee] = await Promise.all([names.first().boundingBox(), names.last().boundingBox()]);
  expect(payer?.x).toBeLessThan(payee?.x ?? 0);
});
