/** Starts Chromium, and opens pages that report every error. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, type ConsoleMessage, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, onTestFinished } from "vitest";
import { patterns } from "../../worker/patterns.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The stack under test. */
export const stack = inject("stack");

let browser: Browser | undefined;

/** Starts a browser for the tests of a file. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executable(), args: ARGS });
  });
  afterAll(async () => browser?.close());
}

export interface Visit extends BrowserContextOptions {
  /** The ids that the page shows, such as `{ counter: "mine" }`. */
  ids?: Record<string, string>;
}

/**
 * Opens the page for a visitor with their own profile. The test fails at its end if the page threw, broke its
 * Content-Security-Policy, or wrote an error to the console. An answer that refuses a call is not an error.
 */
export async function visit({ ids = {}, ...options }: Visit = {}): Promise<Page> {
  if (!browser) throw new Error("call useBrowser() in the file that visits");
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => {
    if (message.type() === "error" && !isRefusedCall(message)) faults.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await page.goto(addressOf(ids));
  return page;
}

/** Whether the browser reports a refused or cut call to the API, which the page is meant to show. */
function isRefusedCall(message: ConsoleMessage): boolean {
  const text = message.text();
  if (text.startsWith("WebSocket connection to")) return /Unexpected response code: 4|ERR_INTERNET/.test(text);
  const { pathname } = new URL(message.location().url, stack.url);
  const isCall =
    pathname === "/health" || patterns.some(({ path }) => pathname === path || pathname.startsWith(`${path}/`));
  return text.startsWith("Failed to load resource") && isCall;
}

/** Another window of the same visitor, such as a second tab. */
export function addressOf(ids: Record<string, string>): string {
  return new URL(`?${new URLSearchParams(ids)}`, stack.url).href;
}

/** The browser that is installed: `CHROMIUM_PATH`, else the first of the usual names on the PATH. */
function executable(): string {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
  if (found) return found;
  throw new Error(`No browser found. Install Chromium, or set CHROMIUM_PATH=/path/to/chromium`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
