import type { Page } from "playwright-core";
import * as v from "valibot";
import { expect, it } from "vitest";
import { stack, useBrowser, visit } from "../browser/browser.ts";

useBrowser();

const tokens = async (page: Page) => Number(await page.locator("#limit [data-tokens]").textContent());
const note = (page: Page) => page.locator("#limit [data-note]").textContent();

/** What the panel showed each time when its note was written. */
const Shown = v.array(v.object({ note: v.string(), tokens: v.number(), headers: v.array(v.string()) }));

/** Has the page keep what its panel shows, from now on: by the time when a test looks, it may have counted on. */
const keep = (page: Page) =>
  page.evaluate(`{
    const text = (name) => document.querySelector("#limit [data-" + name + "]").textContent;
    const headers = () => [...document.querySelectorAll("#limit [data-headers] dd")].map((dd) => dd.textContent);
    globalThis.shown = [];
    new MutationObserver(() => {
      shown.push({ note: text("note"), tokens: Number(text("tokens")), headers: headers() });
    }).observe(document.querySelector("#limit [data-note]"), { childList: true });
  }`);

/** What it showed with the first note that begins so, once it did. */
async function shownWith(page: Page, note: string) {
  const find = async () =>
    v.parse(Shown, await page.evaluate("globalThis.shown")).find((one) => one.note.startsWith(note));
  await expect.poll(find).toBeDefined();
  return find();
}

/** The tokens left, from the limiter itself: tests of other files use the same address's bucket. */
const left = async () => Number((await fetch(new URL("limit", stack.url))).headers.get("X-RateLimit-Remaining"));

it("drains the bucket down to a 429 and sees it refill", { timeout: 180_000 }, async () => {
  // An evicted bucket has lost its lease, so a refill may take a period and a half.
  await expect.poll(left, { timeout: 100_000, interval: 1_000 }).toBe(100);
  const page = await visit();
  await expect.poll(() => tokens(page)).toBe(100);
  await keep(page);
  /** Since the first refusal. */
  let calls: string[] = [];
  let isDrained = false;
  page.on("request", (request) => calls.push(request.url()));
  page.on("response", (response) => {
    if (response.status() !== 429 || isDrained) return;
    isDrained = true;
    calls = [];
  });

  await page.getByRole("button", { name: "Costly call (10)" }).click();
  expect(await shownWith(page, "200. Took 10 tokens.")).toMatchObject({ tokens: 90 });

  await page.getByRole("button", { name: "Drain it" }).click();
  const low = await shownWith(page, "429.");
  expect(low).toEqual({
    note: expect.stringMatching(/^429\. A call of 5 tokens passes in [1-3] s\.$/),
    tokens: expect.toSatisfy((left: number) => left < 5),
    headers: [
      expect.stringMatching(/^"default";r=[0-4];t=[1-3]$/),
      '"default";q=100;w=60',
      expect.stringMatching(/^[1-3]$/),
    ],
  });

  // The page computes the refill without calls.
  await expect.poll(() => note(page)).toBe("A call of 5 tokens passes again.");
  await expect.poll(() => tokens(page)).toBeGreaterThan((low?.tokens ?? 0) + 5);
  expect(calls).toEqual([]);
  await page.getByRole("button", { name: "Call once" }).click();
  await expect.poll(() => note(page)).toBe("200. Took 1 token.");
});

it("says once how long a refused call has to wait, and leaves the focus where the visitor took it", async () => {
  const page = await visit();
  await expect.poll(() => page.locator("#limit [data-capacity]").textContent()).toBe("of 100 tokens");
  await page.route("**/limit/check", async (route) => {
    const headers = { "RateLimit-Policy": '"default";q=100;w=60', "X-RateLimit-Remaining": "0", "Retry-After": "3" };
    await page.getByLabel("Step").focus();
    await route.fulfill({ status: 429, headers, json: { detail: "Too many requests" } });
  });
  await keep(page);
  await page.getByRole("button", { name: "Drain it" }).click();
  await expect.poll(() => note(page), { timeout: 10_000 }).toBe("A call of 5 tokens passes again.");
  const said = v.parse(Shown, await page.evaluate("globalThis.shown")).map((shown) => shown.note);
  expect(said).toEqual(["429. A call of 5 tokens passes in 3 s.", "A call of 5 tokens passes again."]);
  expect(await page.evaluate("document.activeElement.hasAttribute('data-step')")).toBe(true);
});

it("does not take the refusal of another policy for one of the bucket that it shows", async () => {
  const page = await visit();
  await expect.poll(() => page.locator("#limit [data-capacity]").textContent()).toBe("of 100 tokens");
  await page.route("**/limit/check", (route) => {
    const headers = { "RateLimit-Policy": '"limit";q=10;w=60', "X-RateLimit-Remaining": "0", "Retry-After": "6" };
    return route.fulfill({ status: 429, headers, json: { detail: "Too many checks" } });
  });
  await page.getByRole("button", { name: "Costly call (10)" }).click();
  await expect.poll(() => note(page)).toBe("Too many checks");
});

it("hardly uses the bucket: opening the page takes few tokens", async () => {
  const page = await visit();
  await expect.poll(() => page.locator("#limit [data-capacity]").textContent()).toBe("of 100 tokens");
  const calls: string[] = [];
  page.on("request", (request) => calls.push(new URL(request.url()).pathname));
  await page.reload();
  await expect.poll(() => page.locator("#ledger [data-link]").textContent()).toBe("Up to date");
  // The two WebSockets are not listed here; /health, /limit and the page itself are free.
  const paid = calls.filter((path) => !/^\/(health|limit|page\.\w+)?$/.test(path));
  expect(paid.length).toBeLessThanOrEqual(3);
});
