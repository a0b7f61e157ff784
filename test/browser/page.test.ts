import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { stack, useBrowser, visit } from "./browser.ts";
import { LOW_CONTRAST } from "./contrast.ts";

useBrowser();

/** Waits until all panels have loaded. */
const settled = async (page: Page) => {
  for (const id of ["counter", "chat", "ledger", "limit"])
    await expect.poll(() => page.locator(`#${id} [data-link][data-on]`).count(), { message: id }).toBe(1);
};

it("shows its release", async () => {
  const page = await visit();
  const digest = page.locator("#digest");
  await expect.poll(() => digest.textContent()).toBe(stack.digest.slice(0, 12));
  expect(await digest.getAttribute("title")).toBe(stack.digest);
  expect(await page.locator("#environment").textContent()).toBe("local");
});

it("shows the release of now whenever the visitor comes back to the window", async () => {
  const page = await visit();
  const digest = page.locator("#digest");
  await expect.poll(() => digest.textContent()).toBe(stack.digest.slice(0, 12));
  await page.route("**/health", (route) => route.fulfill({ json: { digest: "f".repeat(64) } }));
  await page.evaluate("dispatchEvent(new Event('focus'))");
  await expect.poll(() => digest.textContent()).toBe("f".repeat(12));
});

it("keeps the release that it shows where a proxy answers in the Worker's place", async () => {
  const page = await visit();
  const digest = page.locator("#digest");
  await expect.poll(() => digest.textContent()).toBe(stack.digest.slice(0, 12));
  const answers = [{ status: 502, body: "<h1>Bad gateway</h1>" }, { json: { digest: "f".repeat(64) } }];
  await page.route("**/health", (route) => route.fulfill(answers.shift()));
  await page.evaluate(`{
    globalThis.shown = [];
    const digest = document.querySelector("#digest");
    new MutationObserver(() => shown.push(digest.textContent)).observe(digest, { childList: true });
  }`);
  const answered = page.waitForResponse("**/health");
  await page.evaluate("dispatchEvent(new Event('focus'))");
  await (await answered).finished();
  await page.evaluate("dispatchEvent(new Event('focus'))");
  await expect.poll(() => digest.textContent()).toBe("f".repeat(12));
  expect(await page.evaluate("shown")).toEqual(["f".repeat(12)]);
});

it("starts every panel where the browser keeps nothing for the page", async () => {
  const page = await visit();
  // What Firefox does for a visitor who blocks all cookies.
  await page.addInitScript(`{
    const denied = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
    Object.defineProperty(window, "localStorage", { get: denied });
    globalThis.BroadcastChannel = class { constructor() { denied(); } };
  }`);
  await page.reload();
  await settled(page);
  await page.getByRole("button", { name: "Log in as guest" }).click();
  await expect.poll(() => page.locator("#session [data-link]").textContent()).toBe("Logged in as guest-ada, guest");
});

it("shows what a refusal says, and only its status where it says nothing, such as one of a proxy", async () => {
  const page = await visit();
  // A panel that comes to be live clears its note.
  await settled(page);
  const note = page.locator("#counter [data-note]");
  const answers = [
    { status: 429, json: { detail: "Too many windows show this counter" }, headers: { "Retry-After": "10" } },
    { status: 429, contentType: "text/html", body: "<h1>error code: 1015</h1>" },
  ];
  await page.route("**/counter/increment?*", (route) => route.fulfill(answers.shift()));
  await page.getByRole("button", { name: "Increment" }).click();
  await expect.poll(() => note.textContent()).toBe("Too many windows show this counter");
  await page.getByRole("button", { name: "Increment" }).click();
  await expect.poll(() => note.textContent()).toBe("The Worker answered 429.");
});

/** A page whose sockets are refused once its `refuse()` was called. */
async function refusable(): Promise<Page> {
  const page = await visit({ ids: { room: randomUUID() } });
  await page.addInitScript(`{
    const sockets = [];
    globalThis.refuse = () => {
      for (const socket of sockets) socket.close();
      sockets.length = 0;
      globalThis.isRefused = true;
    };
    globalThis.WebSocket = class extends WebSocket {
      constructor(url, protocols) {
        super(globalThis.isRefused ? new URL("/nowhere", url) : url, protocols);
        sockets.push(this);
      }
    };
  }`);
  await page.reload();
  await settled(page);
  return page;
}

const ASKS_WHY = /\/counter\/value|\/room\/.*\/messages/;

it.each(["at once", "after an outage"])("says why a socket is refused, also after it was open: %s", async (when) => {
  const page = await refusable();
  const refusal = { status: 403, json: { detail: "Not for you any more" } };
  /** How many attempts in each panel find nobody; each asks twice. */
  const outage = new Map<string, number>();
  if (when === "after an outage") for (const id of ["counter", "room"]) outage.set(id, 3 * 2);
  await page.route(ASKS_WHY, (route) => {
    const id = new URL(route.request().url()).pathname.split("/")[1] ?? "";
    const left = outage.get(id) ?? 0;
    outage.set(id, left - 1);
    return left > 0 ? route.abort() : route.fulfill(refusal);
  });
  await page.evaluate("refuse()");
  for (const id of ["counter", "chat"])
    await expect
      .poll(() => page.locator(`#${id} [data-note]`).textContent(), { message: id, timeout: 25_000 })
      .toBe(refusal.json.detail);
});

it("opens a second window, on the same objects and as another visitor", async () => {
  const ids = { room: randomUUID() };
  const page = await visit({ ids });
  await settled(page);
  const opened = page.context().waitForEvent("page");
  await page.getByRole("link", { name: "Open a second window" }).click();
  const second = await opened;
  expect(new URL(second.url()).searchParams.get("room")).toBe(ids.room);
  await expect.poll(() => page.locator("#chat [data-people]").textContent()).toMatch(/^2 here/);
});

it("puts the ids that it shows into its address", async () => {
  const page = await visit();
  const room = randomUUID();
  await page.getByLabel("Room id").fill(room);
  await page.keyboard.press("Enter");
  await expect.poll(() => new URL(page.url()).searchParams.get("room")).toBe(room);
  await page.reload();
  expect(await page.getByLabel("Room id").inputValue()).toBe(room);
});

it("works with the keyboard alone", async () => {
  const page = await visit({ ids: { counter: randomUUID() } });
  await settled(page);
  const controls = "a[href], button:not(:disabled), input, [tabindex='0']";
  const count = await page.locator(controls).count();
  const reached: unknown[] = [];
  for (let i = 0; i < count; i++) {
    await page.keyboard.press("Tab");
    reached.push(
      await page.evaluate(`[[...document.querySelectorAll("${controls}")].indexOf(document.activeElement),
        getComputedStyle(document.activeElement).outlineStyle]`),
    );
  }
  expect(reached).toEqual(Array.from({ length: count }, (_, index) => [index, "solid"]));

  await page.getByLabel("Step").focus();
  await page.keyboard.type("2");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.getByLabel("Count", { exact: true }).textContent()).toBe("2");
});

it("names every control, and reports what happens in live regions", async () => {
  const page = await visit();
  const unnamed = await page.evaluate(`[...document.querySelectorAll("input, button, a, output")]
    .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))
    .map((e) => e.outerHTML)`);
  expect(unnamed).toEqual([]);
  expect(await page.locator(".panel [data-note][role=status]").count()).toBe(await page.locator(".panel").count());
  expect(await page.getByRole("log", { name: "Messages" }).count()).toBe(1);
  for (const name of ["Counter", "Chat room", "Ledger", "Session", "Rate limiter"])
    expect(await page.getByRole("region", { name, exact: true }).count(), name).toBe(1);
});

for (const colorScheme of ["light", "dark"] as const) {
  it(`has enough contrast in the ${colorScheme} scheme`, async () => {
    const page = await visit({ colorScheme });
    await settled(page);
    await page.getByRole("button", { name: "Cut the connection" }).click();
    await page.getByLabel("Message", { exact: true }).fill("It waits");
    await page.getByRole("button", { name: "Send" }).click();
    expect(await page.evaluate(LOW_CONTRAST)).toEqual([]);
    const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(ground).toBe(colorScheme === "dark" ? "rgb(27, 31, 35)" : "rgb(232, 235, 237)");
  });
}

it("lets no figure cover the state above it, where the browser paints a ground behind letters", async () => {
  const page = await visit({ forcedColors: "active" });
  await settled(page);
  const covered = await page.evaluate(`[...document.querySelectorAll("[data-link]")].flatMap((link) => {
    link.scrollIntoView({ block: "center" });
    const at = link.getBoundingClientRect();
    const found = document.elementFromPoint(at.left + 30, at.bottom - 2);
    return found === link ? [] : [link.textContent + ": " + found.outerHTML];
  })`);
  expect(covered).toEqual([]);
});

for (const width of [320, 360, 768, 1280]) {
  it(`fits a screen of ${width} pixels`, async () => {
    const page = await visit({ viewport: { width, height: 800 }, ids: { room: "a-very-long-name".repeat(8) } });
    await settled(page);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
  });
}

it("says that it is offline, and comes back", async () => {
  const page = await visit();
  await settled(page);
  await page.context().setOffline(true);
  await expect.poll(() => page.locator("#banner").textContent()).toContain("offline");
  await page.context().setOffline(false);
  await expect.poll(() => page.locator("#banner").isVisible()).toBe(false);
  await settled(page);
});

it("says that the Worker does not answer, until it answers again, whoever asks", async () => {
  const page = await visit();
  await settled(page);
  const banner = page.locator("#banner");
  const note = page.locator("#limit [data-note]");
  const digest = await page.locator("#digest").textContent();
  // Screen readers read what comes into a region that was there before, whenever it comes.
  expect(await page.evaluate("getComputedStyle(document.querySelector('#banner')).display")).toBe("block");
  await page.evaluate(`{
    globalThis.said = [];
    const banner = document.querySelector("#banner");
    new MutationObserver(() => said.push(banner.textContent)).observe(banner, { childList: true });
  }`);
  // The sockets stay, so that no panel makes a call by itself.
  const isCall = (url: URL) => ["/health", "/limit", "/limit/check"].includes(url.pathname);
  await page.route(isCall, (route) => route.abort());
  await page.getByRole("button", { name: "Call once" }).click();
  await expect.poll(() => banner.textContent()).toContain("does not answer");
  await expect.poll(() => note.textContent()).toContain("did not answer");
  for (let asked = 0; asked < 2; asked++)
    await page.waitForRequest((request) => new URL(request.url()).pathname === "/health");
  expect(await banner.isVisible()).toBe(true);
  expect(await page.locator("#digest").textContent()).toBe(digest);
  await page.unroute(isCall);
  await expect.poll(() => banner.isVisible()).toBe(false);
  expect(await note.textContent()).toBe("");
  expect(await page.evaluate("said")).toEqual([expect.stringContaining("does not answer"), ""]);
});

it.each([390, 1280])("shows commands and fields whole at a width of %d", async (width) => {
  const page = await visit({ viewport: { width, height: 900 } });
  await settled(page);
  for (const closed = page.locator("button[aria-expanded=false]"); (await closed.count()) > 0; )
    await closed.first().click();
  await page.getByLabel("To", { exact: true }).fill("other/bob");
  await page.getByRole("button", { name: "Open the document" }).click();
  const keep = page.getByRole("button", { name: "Keep a version" });
  await keep.waitFor();
  const cut = `[...document.querySelectorAll("pre, #ledger [data-to]")]
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => one.outerHTML)`;
  expect(await page.evaluate(cut)).toEqual([]);
  const [button, field] = [await keep.boundingBox(), await page.getByLabel("Name of a version").boundingBox()];
  expect(button?.y).toBe(field?.y);
});

it("shows commands that work, for any id", async () => {
  const id = `it's $(echo a) "${randomUUID()}"`;
  const page = await visit({ ids: { counter: id, room: id, ledger: id } });
  await settled(page);
  await page.getByLabel("Name", { exact: true }).fill(`it's $(echo a) "b"`);
  const run = async (panel: string) => {
    const commands = (await page.locator(`#${panel} .curl pre`).textContent()) ?? "";
    const env = { ...process.env, ADMIN_TOKEN: stack.adminToken };
    const script = commands.replaceAll(/^curl/gm, "curl -sS --fail-with-body");
    const { stdout } = await promisify(execFile)("sh", ["-euc", script], { env });
    return stdout;
  };
  expect(await run("counter")).toBe('{"count":1}{"count":1}');
  await expect.poll(() => page.getByLabel("Count", { exact: true }).textContent()).toBe("1");
  expect(await run("chat")).toContain('"messages":[]');
  expect(await run("ledger")).toMatch(/"balances":\{"alice":100\}.*"balances":\{"alice":95,"bob":5\}.*"ok":true/);
  expect(await run("session")).toMatch(/"userId":"guest-it's \$\(echo a\) \\"b\\"".*\{"ok":true\}$/);
  expect(await run("limit")).toContain('"allowed":true');
});
