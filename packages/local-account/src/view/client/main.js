/**
 * Shows the view that the address names, and keeps it up to date: asks again every two seconds while the page is
 * visible, and gets 304 if nothing has changed.
 */
import { byId, h, patch } from "./dom.js";
import { bucket, database, kvKeys, missing, object, objectList } from "./explorer.js";
import { overview } from "./overview.js";
import { copied, shortId } from "./parts.js";
import { data, hash, here } from "./routes.js";

const AGAIN_MS = 2_000;
const TOAST_MS = 2_000;

const main = byId("main");

/** Whether the account's addresses are on the page. They do not change while it runs. */
let isIntroduced = false;

/**
 * The server's last answers, by path.
 * @type {Map<string, { etag: string | null, text: string }>}
 */
const known = new Map();

/** Something does not exist. The message is the server's. */
class NotThere extends Error {}

/**
 * Asks the server for data. shapes.ts has the types.
 * @template T
 * @param {string} path
 * @returns {Promise<T>}
 */
async function ask(path) {
  const before = known.get(path);
  const response = await fetch(path, before?.etag ? { headers: { "if-none-match": before.etag } } : {});
  if (response.status === 304 && before !== undefined) return JSON.parse(before.text);
  const text = await response.text();
  if (response.status === 404) throw new NotThere(JSON.parse(text).error);
  if (!response.ok) throw new Error(JSON.parse(text).error);
  known.set(path, { etag: response.headers.get("etag"), text });
  return JSON.parse(text);
}

/**
 * The elements of the view at the address.
 * @returns {Promise<{ title: string, nodes: readonly Node[] }>}
 */
async function view() {
  const { path, query } = here();
  const [kind, id = "", inner] = path;
  const [page, named, after, key] = ["page", "table", "after", "key"].map((name) => query.get(name) ?? undefined);
  switch (kind) {
    case undefined: {
      return { title: "", nodes: overview(await ask(data(["overview"]))) };
    }
    case "objects": {
      if (inner === undefined) {
        /** @type {import("../shapes.ts").ObjectList} */
        const list = await ask(data(["objects", id], { page }));
        return { title: list.namespace.className, nodes: objectList(list) };
      }
      /** @type {import("../shapes.ts").ObjectContents} */
      const one = await ask(data(["objects", id, inner], { table: named, page }));
      return { title: one.object.name ?? inner.slice(0, 8), nodes: object(one) };
    }
    case "databases": {
      /** @type {import("../shapes.ts").DatabaseContents} */
      const one = await ask(data(["databases", id], { table: named, page }));
      return { title: one.name, nodes: database(one) };
    }
    case "kv": {
      /** @type {import("../shapes.ts").KvKeys} */
      const keys = await ask(data(["kv", id], { after }));
      return { title: keys.title, nodes: kvKeys(keys, await chosenValue(id, key), after) };
    }
    case "buckets": {
      /** @type {import("../shapes.ts").BucketObjects} */
      const objects = await ask(data(["buckets", id], { after }));
      return { title: objects.name, nodes: bucket(objects, after) };
    }
    default:
      throw new NotThere("This page has no such view.");
  }
}

/**
 * @param {string} id
 * @param {string | undefined} key
 * @returns {Promise<import("../shapes.ts").KvValue | import("../shapes.ts").Missing | undefined>}
 */
async function chosenValue(id, key) {
  if (key === undefined) return undefined;
  try {
    return await ask(data(["kv", id, "value"], { key }));
  } catch (error) {
    if (error instanceof NotThere) return { error: error.message };
    throw error;
  }
}

/** Only one update runs at a time. A request for another waits until it is done. */
let isShowing = false;
let isAskedAgain = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {Date | undefined} */
let shownAt;

async function show() {
  if (isShowing) {
    isAskedAgain = true;
    return;
  }
  isShowing = true;
  clearTimeout(timer);
  const address = location.hash;
  try {
    await introduce();
    const { title, nodes } = await view();
    if (address === location.hash) present(title, nodes);
    reached();
  } catch (error) {
    if (error instanceof NotThere) {
      if (address === location.hash) present("Not here", missing(error.message));
      reached();
    } else lost(error);
  }
  isShowing = false;
  if (isAskedAgain) {
    isAskedAgain = false;
    void show();
  } else if (!document.hidden) timer = setTimeout(show, AGAIN_MS);
}

/** Shows the account's addresses in the head of the page. */
async function introduce() {
  if (isIntroduced) return;
  /** @type {import("../shapes.ts").Overview} */
  const { account } = await ask(data(["overview"]));
  patch(
    byId("places"),
    [
      { name: "REST API", value: copied(account.apiUrl, account.apiUrl, "address") },
      { name: "Workers", value: copied(account.workerUrl, account.workerUrl, "address") },
      { name: "Account", value: shortId(account.id, "account id") },
    ].map(({ name, value }) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
  isIntroduced = true;
}

/**
 * The address of the view on the page.
 * @type {{ path: string, whole: string } | undefined}
 */
let presented;

/**
 * @param {string} title
 * @param {readonly Node[]} nodes
 */
function present(title, nodes) {
  document.title = title === "" ? "Local account" : `${title} · Local account`;
  const before = presented;
  const path = here().path.join("/");
  presented = { path, whole: location.hash };
  document.body.classList.toggle("inner", path !== "");
  if (before !== undefined && before.path !== path) main.replaceChildren();
  patch(main, nodes);
  if (before === undefined || before.whole === location.hash) return;
  if (before.path !== path) {
    scrollTo(0, 0);
    main.querySelector("h2")?.focus({ preventScroll: true });
    return;
  }
  // Another page, table or key of what is shown already: the content begins with what was chosen.
  const chosen = main.querySelector(".content");
  const top = chosen?.getBoundingClientRect().top ?? 0;
  if (top < 0 || top > innerHeight) chosen?.scrollIntoView();
  // Who goes through the tables beside it stays there.
  if (document.activeElement?.closest(".about")) return;
  const start = chosen?.querySelector("[tabindex]");
  if (start instanceof HTMLElement) start.focus({ preventScroll: true });
}

function reached() {
  shownAt = new Date();
  byId("link").toggleAttribute("data-on", true);
  byId("link").textContent = "Running";
  byId("banner").textContent = "";
}

/** @param {unknown} error */
function lost(error) {
  const [link, banner] = [byId("link"), byId("banner")];
  link.toggleAttribute("data-on", false);
  const isAnswered = error instanceof Error && !(error instanceof TypeError);
  link.textContent = isAnswered ? "Running" : "Not reached";
  const since = shownAt === undefined ? "" : ` This page shows the state of ${shownAt.toTimeString().slice(0, 8)}.`;
  const text = isAnswered
    ? `${error.message}${since}`
    : `The account does not answer: it was stopped, or is restarting.${since} This page tries again by itself.`;
  if (banner.textContent !== text) banner.textContent = text;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toasting;

/** @param {string} text */
function toast(text) {
  byId("toast").textContent = text;
  clearTimeout(toasting);
  toasting = setTimeout(() => {
    byId("toast").textContent = "";
  }, TOAST_MS);
}

document.addEventListener("click", async (event) => {
  if (!(event.target instanceof Element)) return;
  if (event.target.closest("[data-skip]") !== null) {
    event.preventDefault();
    main.focus();
    return;
  }
  const text = event.target.closest("[data-copy]")?.getAttribute("data-copy");
  if (text == null) return;
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${text}`);
  } catch {
    toast("The browser does not allow copying.");
  }
});

document.addEventListener("submit", async (event) => {
  if (!(event.target instanceof HTMLFormElement)) return;
  const form = event.target;
  const namespace = form.getAttribute("data-find");
  if (namespace === null) return;
  event.preventDefault();
  const name = String(new FormData(form).get("name"));
  const note = form.querySelector("[role=status]");
  try {
    /** @type {import("../shapes.ts").FoundObject} */
    const found = await ask(data(["objects", namespace, "find"], { name }));
    if (found.exists) location.hash = hash(["objects", namespace, found.id]);
    else if (note) note.textContent = `"${name}" has the id ${found.id.slice(0, 8)}…, and has stored nothing yet.`;
  } catch (error) {
    if (note) note.textContent = error instanceof Error ? error.message : String(error);
  }
});

addEventListener("hashchange", () => void show());
// Not as the page is left: Firefox keeps it for the way back, and a call that was just made never gets its answer there.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else void show();
});
void show();
