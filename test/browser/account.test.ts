/** The account's page: what a visitor chooses is what they see, and where they go on. */
import type { Page } from "playwright-core";
import * as v from "valibot";
import { expect, it } from "vitest";
import { stack, useBrowser, visit } from "./browser.ts";

useBrowser();

const Namespaces = v.object({ result: v.array(v.object({ id: v.string() })) });

/** The KV namespace of the stack, with more keys than a page of the list has. Returns its view's address. */
async function manyKeys(): Promise<string> {
  const { url, token } = stack.api;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const { result } = v.parse(Namespaces, await (await fetch(`${url}/storage/kv/namespaces`, { headers })).json());
  const keys = Array.from({ length: 60 }, (_, i) => ({ key: `key-${i + 100}`, value: `value ${i}` }));
  const body = JSON.stringify(keys);
  const { status } = await fetch(`${url}/storage/kv/namespaces/${result[0]?.id}/bulk`, {
    method: "PUT",
    headers,
    body,
  });
  expect(status).toBe(200);
  return `${stack.accountUrl}#/kv/${result[0]?.id}`;
}

const focused = (page: Page) =>
  page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent");

it("shows the value of a key that is far down in the list, and goes on there with the keyboard", async () => {
  const page = await visit({ viewport: { width: 1280, height: 700 } });
  await page.goto(await manyKeys());
  const key = page.getByRole("link", { name: "key-140" });
  await key.focus();
  await page.keyboard.press("Enter");
  const value = page.getByRole("region", { name: "Value of key-140" });
  await expect.poll(() => value.textContent()).toBe("value 40");
  await expect.poll(() => focused(page)).toBe("key-140");
  const box = await value.boundingBox();
  expect(box?.y).toBeGreaterThan(0);
  expect(box?.y).toBeLessThan(700);
});

it("begins the next page of a list at its start", async () => {
  const page = await visit({ viewport: { width: 1280, height: 700 } });
  await page.goto(await manyKeys());
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByRole("link", { name: "key-155" }).waitFor();
  await expect.poll(() => focused(page)).toMatch(/^Keys of .*, as a table$/);
  const box = await page.getByRole("region", { name: "as a table" }).boundingBox();
  expect(box?.y).toBeGreaterThanOrEqual(0);
  expect(box?.y).toBeLessThan(700);
});

it("shows the traffic of versions also in forced colors", async () => {
  const page = await visit({ forcedColors: "active" });
  await page.goto(stack.accountUrl);
  await page.locator(".bar i").first().waitFor();
  const colors = await page.evaluate(
    "['.bar .first', '.display'].map((of) => getComputedStyle(document.querySelector(of)).backgroundColor)",
  );
  expect(colors).toEqual(["rgb(255, 207, 26)", "rgb(255, 255, 255)"]);
});

it("has the regions that speak before they do", async () => {
  const page = await visit();
  await page.goto(stack.accountUrl);
  await page.locator(".bar").first().waitFor();
  const spoken = "[...document.querySelectorAll('[role=status]')].map((one) => getComputedStyle(one).display)";
  expect(await page.evaluate(spoken)).toEqual(["block", "block"]);
});

it("asks for nothing as the visitor leaves, and for what is new as they come back", async () => {
  const page = await visit();
  await page.goto(stack.accountUrl);
  await page.locator(".bar").first().waitFor();
  const asked = await page.evaluate(`new Promise((resolve) => {
    const asked = [];
    const turn = (hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    const own = fetch;
    globalThis.fetch = (...call) => {
      asked.push(document.hidden ? "away" : "here");
      if (!document.hidden) resolve(asked);
      return own(...call);
    };
    turn(true);
    setTimeout(turn, 0, false);
  })`);
  expect(asked).toEqual(["here"]);
});
