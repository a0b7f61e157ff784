/** Accessibility, as far as axe checks it: the page and the account's page, in both colour schemes, at two widths. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as v from "valibot";
import { expect, it } from "vitest";
import { stack, useBrowser, visit } from "./browser.ts";

useBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const Violations = v.array(v.object({ id: v.string(), nodes: v.array(v.object({ html: v.string() })) }));

const looks = [390, 1280].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => [width, colorScheme] as const),
);

it.each(looks)("axe finds nothing at %i pixels, %s", async (width, colorScheme) => {
  const page = await visit({ viewport: { width, height: 900 }, colorScheme });
  for (const [url, isReady] of [
    [stack.url, "#counter [data-link][data-on]"],
    [stack.accountUrl, "#storage table"],
  ] as const) {
    await page.goto(url);
    await page.locator(isReady).waitFor({ state: "attached" });
    // On a phone, open the panels first: axe does not check closed ones.
    await page.evaluate("document.querySelectorAll('.fold[aria-expanded=false]').forEach((key) => key.click())");
    await page.evaluate(AXE);
    const found = v.parse(Violations, await page.evaluate("axe.run().then(({ violations }) => violations)"));
    expect(found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
  }
});

it("on a phone all panels but the first are closed, and open by their headings", async () => {
  const page = await visit({ viewport: { width: 390, height: 900 } });
  const session = page.locator("#session");
  const heading = session.getByRole("button", { name: "Session", exact: true });
  expect(await page.getByRole("button", { name: "Increment" }).isVisible()).toBe(true);
  expect(await session.getByRole("button", { name: "Log in as guest" }).isVisible()).toBe(false);
  await heading.click();
  expect(await session.getByRole("button", { name: "Log in as guest" }).isVisible()).toBe(true);
  expect(await heading.getAttribute("aria-expanded")).toBe("true");
  await heading.click();
  expect(await session.getByRole("button", { name: "Log in as guest" }).isVisible()).toBe(false);
});

it("the link that npm start prints has the admin token, and the page removes it from the address", async () => {
  const page = await visit();
  await page.goto("about:blank");
  await page.goto(`${stack.url}?ledger=by-link#admin=${stack.adminToken}`);
  const deposit = page.getByRole("button", { name: "Deposit" });
  await deposit.click();
  await expect.poll(() => page.getByRole("list", { name: "Balances" }).textContent()).toContain("alice");
  expect(page.url()).toBe(`${stack.url}?ledger=by-link`);
});

it("an empty list says so in one line", async () => {
  const page = await visit({ viewport: { width: 1280, height: 900 }, ids: { room: crypto.randomUUID() } });
  const blank = page.locator("#chat .blank");
  await blank.waitFor();
  // A line and its margins, in pixels.
  expect((await blank.boundingBox())?.height).toBeLessThan(45);
});
