/** The views of stored data: objects of a class, tables and rows of an object, KV keys, objects of a bucket. */
import { h } from "./dom.js";
import { copied, counted, empty, grouped, pager, panel, shortId, size, table, time, trail, walker } from "./parts.js";
import { hash } from "./routes.js";

/** @typedef {import("../shapes.ts").Cell} Cell */
/** @typedef {import("./dom.js").Child} Child */

const ACCOUNT = { text: "Account", href: "#/" };

/** @param {import("../shapes.ts").ObjectList} list */
export function objectList(list) {
  const { namespace, objects, total, order } = list;
  const here = ["objects", namespace.id];
  return [
    trail([ACCOUNT, { text: namespace.worker }, { text: namespace.className }]),
    panel(
      {
        id: "objects",
        title: namespace.className,
        about: [
          h(
            "p",
            {},
            `Objects of this class of ${namespace.worker} that have opened their storage, ${order === "written" ? "last written first" : "by id"}.`,
          ),
          facts([
            ["Objects", grouped(total)],
            ["Storage", namespace.storage],
            ["Namespace", shortId(namespace.id, "namespace")],
          ]),
          finder(namespace.id),
        ],
      },
      objects.length === 0
        ? empty("No object of this class has stored anything yet.")
        : h(
            "div",
            { class: "face" },
            table(
              `Objects of ${namespace.className}`,
              ["Id", { text: "Name", class: "wraps" }, "Last written", "Alarm", { text: "Size", class: "number" }],
              objects.map(({ id, name, writtenAt, alarmAt, bytes }) => [
                shortId(id, "object", hash([...here, id])),
                name === null ? h("span", { class: "soft" }, "Not known") : h("span", { class: "code" }, name),
                writtenAt && time(writtenAt),
                alarmAt && time(alarmAt),
                size(bytes),
              ]),
              { keys: objects.map(({ id }) => id) },
            ),
            pager(list, (page) => hash(here, { page })),
          ),
    ),
  ];
}

/**
 * A form that finds the object with a name, because an id does not reveal its name.
 * @param {string} namespaceId
 */
const finder = (namespaceId) =>
  h(
    "form",
    { class: "finder", "data-find": namespaceId, autocomplete: "off" },
    h("label", {}, "Name or id of an object", h("input", { name: "name", required: true, spellcheck: "false" })),
    h("button", { type: "submit", class: "primary" }, "Open"),
    h("p", { class: "note", role: "status", "data-own": true }),
    h(
      "p",
      { class: "hint" },
      "The name that code passes to ",
      h("code", {}, "getByName"),
      ". A name is known here once it was looked up, or if an alarm has it.",
    ),
  );

/** @param {import("../shapes.ts").ObjectContents} data */
export function object({ namespace, object: one, tables, shown }) {
  const here = ["objects", namespace.id, one.id];
  const title = one.name ?? `${one.id.slice(0, 8)}…`;
  return [
    trail([
      ACCOUNT,
      { text: namespace.worker },
      { text: namespace.className, href: hash(here.slice(0, 2)) },
      { text: title },
    ]),
    contents(
      here,
      { tables, shown },
      {
        title,
        about: [
          facts([
            ["Class", namespace.className],
            ["Id", shortId(one.id, "object")],
            ["Name", one.name === null ? "Not known" : copied(one.name, one.name, "name")],
            ["Last written", one.writtenAt === null ? "Never" : time(one.writtenAt)],
            ["Alarm", one.alarmAt === null ? "None" : time(one.alarmAt)],
            ["Size on disk", size(one.bytes)],
          ]),
        ],
        nothing: "This object has stored nothing, or has deleted everything.",
      },
    ),
  ];
}

/** @param {import("../shapes.ts").DatabaseContents} data */
export function database({ id, name, tables, shown }) {
  return [
    trail([ACCOUNT, { text: name }]),
    contents(
      ["databases", id],
      { tables, shown },
      {
        title: name,
        about: [h("p", {}, "A D1 database."), facts([["Id", shortId(id, "database")]])],
        nothing: "This database has no table yet.",
      },
    ),
  ];
}

/**
 * A list of tables, and a page of the chosen one.
 * @param {readonly string[]} here
 * @param {import("../shapes.ts").Contents} data
 * @param {{ title: string, about: readonly Child[], nothing: string }} words
 */
function contents(here, { tables, shown }, { title, about, nothing }) {
  return panel(
    { id: "contents", title, about: [...about, tables.length > 0 && tableList(here, tables, shown?.table)] },
    shown === null ? empty(nothing) : rows(here, shown),
  );
}

/**
 * @param {readonly string[]} here
 * @param {readonly import("../shapes.ts").Table[]} tables
 * @param {string | undefined} chosen
 */
const tableList = (here, tables, chosen) =>
  h(
    "nav",
    { class: "tables", "aria-label": "Tables" },
    h(
      "ul",
      {},
      ...tables.map(({ name, isKeyValue, rows: count }) =>
        h(
          "li",
          {},
          h(
            "a",
            { href: hash(here, { table: name }), "aria-current": name === chosen ? "true" : null },
            h("span", {}, isKeyValue ? "Key-value storage" : name),
            h("span", { class: "count" }, count === null ? "" : grouped(count)),
          ),
        ),
      ),
    ),
  );

/**
 * @param {readonly string[]} here
 * @param {import("../shapes.ts").ShownRows} shown
 */
function rows(here, shown) {
  const { table: name, columns, first, total } = shown;
  const title = name === "_cf_KV" ? "Key-value storage" : name;
  return h(
    "div",
    { class: "face" },
    h(
      "div",
      { class: "display head" },
      h("h3", {}, title),
      h(
        "p",
        { class: "dim" },
        total > shown.rows.length
          ? `Rows ${grouped(first)} to ${grouped(first + shown.rows.length - 1)} of ${grouped(total)}`
          : counted(total, "row"),
      ),
    ),
    total === 0
      ? h("p", { class: "more" }, "No rows.")
      : table(
          title,
          columns.map((column, at) => ({
            text: column,
            class: shown.rows.every((row) => isNumber(row[at])) ? "number" : "",
          })),
          shown.rows.map((row) => row.map(cell)),
          { class: "data" },
        ),
    pager(shown, (page) => hash(here, { table: name, page })),
  );
}

/** @param {Cell | undefined} value */
const isNumber = (value) => value?.type === "integer" || value?.type === "real";

/** Longer texts are folded. */
const FOLDED_FROM = 80;

/**
 * @param {Cell} value
 * @returns {Child}
 */
function cell(value) {
  switch (value.type) {
    case "null":
      return h("span", { class: "soft" }, "null");
    case "integer": {
      const moment = momentOf(value.value);
      return moment === null ? value.value : h("span", {}, value.value, h("span", { class: "moment" }, time(moment)));
    }
    case "real":
      return value.value;
    case "blob":
      return h(
        "span",
        { class: "soft" },
        `${size(value.length)}: ${value.hex.slice(0, 32)}${value.length > 16 ? "…" : ""}`,
      );
    default:
      return folded(value.value, value.length);
  }
}

/**
 * @param {string} text
 * @param {number} [length] of the whole text, if this is a part
 */
function folded(text, length) {
  if (text.length <= FOLDED_FROM && !text.includes("\n")) return text;
  return h(
    "details",
    {},
    h(
      "summary",
      {},
      `${text
        .slice(0, 4 * FOLDED_FROM)
        .replace(/\s+/g, " ")
        .slice(0, FOLDED_FROM)}…`,
    ),
    h("pre", {}, text),
    length !== undefined && h("p", { class: "soft" }, `The beginning of ${counted(length, "character")}.`),
  );
}

/** From 2001 to 2100, in milliseconds. */
const MOMENTS = { from: 1e12, to: 4.1e12 };

/**
 * A number read as a time; null if it is too small or too large for one.
 * @param {string} integer
 */
function momentOf(integer) {
  const value = Number(integer);
  return value >= MOMENTS.from && value <= MOMENTS.to ? new Date(value).toISOString() : null;
}

/**
 * @param {import("../shapes.ts").KvKeys} data
 * @param {import("../shapes.ts").KvValue | import("../shapes.ts").Missing | undefined} value of the chosen key
 * @param {string | undefined} after
 */
export function kvKeys({ id, title, keys, next }, value, after) {
  const here = ["kv", id];
  return [
    trail([ACCOUNT, { text: title }]),
    panel(
      {
        id: "keys",
        title,
        about: [
          h("p", {}, "A KV namespace. Choose a key to see its value."),
          facts([["Id", shortId(id, "namespace")]]),
        ],
      },
      value && kvValue(value),
      keys.length === 0
        ? empty(after === undefined ? "No key is stored here yet." : "There are no more keys.")
        : h(
            "div",
            { class: "face", "data-key": "list" },
            table(
              `Keys of ${title}`,
              ["Key", "Expires", "Metadata"],
              keys.map(({ name, expiresAt, metadata }) => [
                h("a", { href: hash(here, { after, key: name }), class: "code" }, name),
                expiresAt === null ? h("span", { class: "soft" }, "Never") : time(expiresAt),
                metadata === null ? h("span", { class: "soft" }, "None") : h("code", {}, metadata),
              ]),
              { keys: keys.map(({ name }) => name) },
            ),
            walker(after, next, (from) => hash(here, { after: from })),
          ),
    ),
  ];
}

/** @param {import("../shapes.ts").KvValue | import("../shapes.ts").Missing} value */
function kvValue(value) {
  if ("error" in value) return empty(value.error);
  const { key, bytes, text, isCut } = value;
  return h(
    "div",
    { class: "face value", "data-key": "value" },
    h(
      "div",
      { class: "display head" },
      h("h3", { class: "code", tabindex: "-1" }, key),
      h("p", { class: "dim" }, size(bytes)),
    ),
    text === null
      ? h("p", { class: "more" }, "This value is not text.")
      : h("pre", { tabindex: "0", role: "region", "aria-label": `Value of ${key}` }, pretty(text)),
    isCut && h("p", { class: "more" }, "Only the beginning is shown."),
  );
}

/**
 * JSON with indentation; any other text unchanged.
 * @param {string} text
 */
function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * @param {import("../shapes.ts").BucketObjects} data
 * @param {string | undefined} after
 */
export function bucket({ key, name, objects, next }, after) {
  return [
    trail([ACCOUNT, { text: name }]),
    panel(
      {
        id: "objects",
        title: name,
        about: [h("p", {}, "An R2 bucket and its objects. Their contents are not shown.")],
      },
      objects.length === 0
        ? empty(after === undefined ? "No object is stored here yet." : "There are no more objects.")
        : h(
            "div",
            { class: "face" },
            table(
              `Objects of ${name}`,
              ["Key", { text: "Size", class: "number" }, "Type", "Uploaded", "Metadata", "ETag"],
              objects.map((one) => [
                h("span", { class: "code" }, one.key),
                size(one.bytes),
                one.contentType ?? h("span", { class: "soft" }, "Not set"),
                time(one.uploadedAt),
                one.metadata === null ? h("span", { class: "soft" }, "None") : h("code", {}, one.metadata),
                shortId(one.etag, "ETag"),
              ]),
              { keys: objects.map((one) => one.key) },
            ),
            walker(after, next, (from) => hash(["buckets", key], { after: from })),
          ),
    ),
  ];
}

/** @param {string} sentence */
export const missing = (sentence) => [
  trail([ACCOUNT, { text: "Not here" }]),
  panel(
    { id: "missing", title: "Not here", about: [] },
    empty(sentence, " ", h("a", { href: "#/" }, "Back to the account"), "."),
  ),
];

/** @param {readonly (readonly [string, Child])[]} pairs */
const facts = (pairs) =>
  h("dl", { class: "facts" }, ...pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
