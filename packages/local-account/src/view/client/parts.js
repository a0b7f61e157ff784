/** Small parts of every view: ids, times, sizes, tables, pages. */
import { h } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */

/** A title with this many characters or more is smaller. */
const LONG_TITLE = 20;

/** How many characters of an id are shown. */
const SHORT = 8;

/**
 * Shows a short text, with a button that copies the whole one.
 * @param {string} text
 * @param {string} shown
 * @param {string} what the text's name, for screen readers
 * @param {string} [href] a link for the short text
 */
export const copied = (text, shown, what, href) =>
  h(
    "span",
    { class: "copied" },
    href === undefined ? h("code", { title: text }, shown) : h("a", { class: "code", href, title: text }, shown),
    h("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy ${what} ${shown}` }),
  );

/**
 * @param {string} id
 * @param {string} what
 * @param {string} [href]
 */
export const shortId = (id, what, href) => copied(id, id.slice(0, SHORT), what, href);

/** @param {string} iso */
export function time(iso) {
  const at = new Date(iso);
  const [date, clock] = [local(at).slice(0, 10), local(at).slice(11)];
  const isToday = date === local(new Date()).slice(0, 10);
  return h("time", { datetime: iso, title: `${date} ${clock}` }, isToday ? clock : `${date} ${clock.slice(0, 5)}`);
}

/**
 * `2026-11-26T06:42:05`, in this browser's time zone.
 * @param {Date} at
 */
const local = (at) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

/** @param {number} count */
export const grouped = (count) => count.toLocaleString("en");

/**
 * `1 object`, `2 objects`.
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1_024) return `${bytes} B`;
  const [value, unit] = bytes < 1_048_576 ? [bytes / 1_024, "KiB"] : [bytes / 1_048_576, "MiB"];
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)} ${unit}`;
}

/**
 * A section of a view: a description, and the content.
 * @param {{ id: string, title: string, about: readonly Child[] }} head
 * @param {...Child} content
 */
export const panel = ({ id, title, about }, ...content) =>
  h(
    "section",
    { class: "panel", id, "aria-labelledby": `${id}-title` },
    h(
      "div",
      { class: "about" },
      h("h2", { id: `${id}-title`, tabindex: "-1", class: title.length > LONG_TITLE ? "long" : null }, title),
      ...about,
    ),
    h("div", { class: "content" }, ...content),
  );

/**
 * A table that scrolls sideways if it is too wide.
 * @param {string} label
 * @param {readonly (string | { text: string, class: string })[]} heads
 * @param {readonly (readonly Child[])[]} rows
 * @param {{ class?: string, keys?: readonly string[] }} [options]
 */
export function table(label, heads, rows, { class: name = "", keys } = {}) {
  const columns = heads.map((head) => (typeof head === "string" ? { text: head, class: "" } : head));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${label}, as a table` },
    h(
      "table",
      { class: name || null },
      h(
        "thead",
        {},
        h("tr", {}, ...columns.map((column) => h("th", { scope: "col", class: column.class || null }, column.text))),
      ),
      h(
        "tbody",
        {},
        ...rows.map((row, index) =>
          h(
            "tr",
            { "data-key": keys?.[index] },
            ...row.map((cell, at) => h("td", { class: columns[at]?.class || null }, cell)),
          ),
        ),
      ),
    ),
  );
}

/** @param {...Child} sentence */
export const empty = (...sentence) => h("p", { class: "empty" }, ...sentence);

/**
 * The links that lead here from the account's first view.
 * @param {readonly { text: string, href?: string }[]} steps
 */
export const trail = (steps) =>
  h(
    "nav",
    { class: "trail", "aria-label": "Where this is" },
    h(
      "ol",
      {},
      ...steps.map(({ text, href }) =>
        h(
          "li",
          { class: "step" },
          href === undefined ? h("span", { "aria-current": "page" }, text) : h("a", { href }, text),
        ),
      ),
    ),
  );

/**
 * Links to the other pages of a numbered list; none if there is only one page.
 * @param {import("../shapes.ts").Page} here
 * @param {(page: number) => string} hrefOf
 */
export function pager({ page, pages }, hrefOf) {
  if (pages === 1) return null;
  /** @type {(text: string, to: number, isOn: boolean) => HTMLElement} */
  const link = (text, to, isOn) =>
    isOn
      ? h("a", { class: "button", href: hrefOf(to) }, text)
      : h("span", { class: "button", "aria-disabled": "true" }, text);
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    link("First", 1, page > 1),
    link("Previous", page - 1, page > 1),
    h("span", { class: "where" }, `Page ${grouped(page)} of ${grouped(pages)}`),
    link("Next", page + 1, page < pages),
    link("Last", pages, page < pages),
  );
}

/**
 * The same for a list without page numbers.
 * @param {string | undefined} after the start of this page
 * @param {string | null} next the start of the next page
 * @param {(after: string | undefined) => string} hrefOf
 */
export const walker = (after, next, hrefOf) =>
  after === undefined && next === null
    ? null
    : h(
        "nav",
        { class: "pager", "aria-label": "Pages" },
        after !== undefined && h("a", { class: "button", href: hrefOf(undefined) }, "First page"),
        next !== null && h("a", { class: "button", href: hrefOf(next) }, "Next page"),
      );
