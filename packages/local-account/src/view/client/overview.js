/** The first view: Workers and their traffic, classes, storage, addresses, changes and calls. */
import { h } from "./dom.js";
import { copied, counted, empty, grouped, panel, shortId, table, time } from "./parts.js";
import { hash } from "./routes.js";

/** @typedef {import("../shapes.ts").Overview} Overview */

/** How many cells a traffic bar has. */
const CELLS = 50;

/** @param {Overview} data */
export const overview = (data) => [
  workers(data),
  objects(data),
  storage(data),
  addresses(data),
  history(data),
  calls(data),
];

/** @param {Overview} data */
function workers({ workers: all, account }) {
  const head = {
    id: "workers",
    title: "Workers",
    about: [h("p", {}, "The deployed Workers, and which versions have their traffic.")],
  };
  return panel(head, ...(all.length === 0 ? [nothingYet(account)] : all.map((shown) => worker(shown, account))));
}

/** @param {Overview["account"]} account */
function nothingYet({ workerUrl }) {
  const point = 'eval "$(npm run -s account -- env)"';
  return h(
    "div",
    { class: "face" },
    h(
      "div",
      { class: "display" },
      h("p", { class: "big" }, "Nothing is deployed yet."),
      h("p", { class: "dim" }, "Point wrangler at this account, and deploy from any project:"),
      h("ul", { class: "steps" }, ...[point, "npx wrangler deploy"].map((line) => h("li", {}, copied(line, line, "")))),
      h("p", { class: "dim" }, "It then answers at ", h("code", {}, workerUrl), "."),
    ),
  );
}

/**
 * @param {import("../shapes.ts").ShownWorker} worker
 * @param {Overview["account"]} account
 */
function worker({ name, url, crons, versions }, { firesCrons }) {
  const serving = versions.items.filter(({ traffic }) => traffic !== null);
  return h(
    "article",
    { class: "face", "data-key": name },
    h(
      "div",
      { class: "display" },
      h(
        "div",
        { class: "nameplate" },
        h("h3", {}, name),
        url === null
          ? h("p", { class: "dim" }, "Not on the account's subdomain")
          : h("p", {}, h("a", { href: url }, url)),
      ),
      serving.length === 0
        ? h("p", { class: "dim" }, "No version is deployed, so nothing answers.")
        : [bar(serving), h("ul", { class: "shares" }, ...serving.map(share))],
      crons.length > 0 &&
        h("p", { class: "dim" }, `Cron triggers${firesCrons ? "" : ", fired on request only"}: ${crons.join(", ")}`),
    ),
    versions.total > 0 &&
      table(
        `Versions of ${name}`,
        [
          { text: "Version", class: "number" },
          "Made",
          { text: "Content", class: "wraps" },
          { text: "Traffic", class: "number" },
          "Id",
        ],
        versions.items.map(({ number, createdOn, message, tag, files, traffic, id }) => [
          String(number),
          time(createdOn),
          h(
            "span",
            {},
            message ?? tag ?? h("span", { class: "soft" }, "No message"),
            files !== null && h("span", { class: "soft" }, ` with ${counted(files, "static file")}`),
          ),
          traffic === null ? "" : `${traffic} %`,
          shortId(id, "version"),
        ]),
        { keys: versions.items.map(({ id }) => id) },
      ),
    versions.total > versions.items.length &&
      h("p", { class: "more" }, `The newest ${versions.items.length} of ${grouped(versions.total)} versions.`),
  );
}

/** @param {readonly import("../shapes.ts").ShownVersion[]} serving */
function bar(serving) {
  const [first] = serving;
  const ofFirst = Math.round(((first?.traffic ?? 0) / 100) * CELLS);
  return h(
    "div",
    {
      class: "bar",
      role: "img",
      "aria-label": serving.map(({ traffic, number }) => `${traffic} % to version ${number}`).join(", "),
    },
    ...Array.from({ length: CELLS }, (_, cell) => h("i", { class: cell < ofFirst ? "first" : "second" })),
  );
}

/** @param {import("../shapes.ts").ShownVersion} version */
const share = ({ traffic, number }) => h("li", {}, `${traffic} % to version ${number}`);

/** @param {Overview} data */
function objects({ namespaces }) {
  const head = {
    id: "classes",
    title: "Durable Objects",
    about: [h("p", {}, "All provisioned classes. Open one to look into its objects.")],
  };
  if (namespaces.length === 0) return panel(head, empty("No Worker has a Durable Object class yet."));
  return panel(
    head,
    h(
      "div",
      { class: "face" },
      table(
        "Durable Object classes",
        [
          "Class",
          { text: "Objects", class: "number" },
          { text: "Worker", class: "aside" },
          { text: "Storage", class: "aside" },
          "Namespace",
        ],
        namespaces.map(({ id, className, objects: count, worker: name, storage: kind }) => [
          h("a", { href: hash(["objects", id]) }, className),
          grouped(count),
          name,
          kind,
          shortId(id, "namespace"),
        ]),
        { keys: namespaces.map(({ id }) => id) },
      ),
    ),
  );
}

/** @param {Overview} data */
function storage({ kv, buckets, databases }) {
  const rows = [
    ...kv.map(({ id, title }) => ["KV namespace", h("a", { href: hash(["kv", id]) }, title), shortId(id, "namespace")]),
    ...buckets.map(({ key, name, detail }) => ["R2 bucket", h("a", { href: hash(["buckets", key]) }, name), detail]),
    ...databases.map(({ id, name }) => [
      "D1 database",
      h("a", { href: hash(["databases", id]) }, name),
      shortId(id, "database"),
    ]),
  ];
  const head = {
    id: "storage",
    title: "Storage",
    about: [h("p", {}, "KV namespaces, R2 buckets and D1 databases. Open one to see its content.")],
  };
  if (rows.length === 0) return panel(head, empty("No KV namespace, no R2 bucket and no D1 database yet."));
  return panel(head, h("div", { class: "face" }, table("Storage", ["Kind", "Name", "Id or place"], rows)));
}

/** @param {Overview} data */
function addresses({ routes, domains, account }) {
  const rows = [
    ...routes.map(({ pattern, worker: name }) => ["Route", pattern, name ?? "No Worker"]),
    ...domains.map(({ hostname, worker: name }) => ["Custom domain", hostname, name]),
  ];
  const head = {
    id: "addresses",
    title: "Addresses",
    about: [h("p", {}, "Routes and custom domains. A request finds them by its ", h("code", {}, "Host"), " header.")],
  };
  if (rows.length === 0)
    return panel(
      head,
      empty("No route and no custom domain. Workers answer at ", h("code", {}, account.workerUrl), "."),
    );
  return panel(head, h("div", { class: "face" }, table("Addresses", ["Kind", "Address", "Worker"], rows)));
}

/** @param {Overview} data */
function history({ history: { items, total } }) {
  const head = {
    id: "history",
    title: "History",
    about: [h("p", {}, "All changes of the account: what was created, changed and removed.")],
  };
  if (items.length === 0) return panel(head, empty("Nothing has changed since this account was created."));
  return panel(
    head,
    h(
      "div",
      { class: "face" },
      h("ol", { class: "display log changes" }, ...items.map(entry)),
      items.length < total && h("p", { class: "more" }, `The newest ${items.length} of ${grouped(total)} changes.`),
    ),
  );
}

const SIGNS = { "+": "made", "-": "removed", "~": "changed" };

/** @param {import("../shapes.ts").HistoryEntry} entry */
function entry({ id, at, items }) {
  return h(
    "li",
    { class: "line entry", "data-key": id },
    time(at),
    h(
      "ul",
      {},
      ...items.map(({ sign, what, name, worker: owner, detail }) =>
        h(
          "li",
          { class: "item" },
          h("b", { class: "sign", role: "img", "aria-label": SIGNS[sign] }, sign === "-" ? "−" : sign),
          h(
            "span",
            {},
            `${what} `,
            h("strong", {}, name),
            detail !== undefined && ` ${what === "version" ? `(${detail})` : detail}`,
            owner !== undefined && owner !== name && h("span", { class: "dim" }, ` ${owner}`),
          ),
        ),
      ),
    ),
  );
}

/** @param {Overview} data */
function calls({ calls: { items, total }, account }) {
  const head = {
    id: "calls",
    title: "Calls",
    about: [
      h("p", {}, "Calls to the REST API, newest first."),
      h("p", { class: "hint" }, "Queries are left out: they may hold secrets."),
    ],
  };
  if (items.length === 0) return panel(head, empty("No client has called the REST API since the account was started."));
  const prefix = `/accounts/${account.id}`;
  return panel(
    head,
    h(
      "div",
      { class: "face" },
      h(
        "ol",
        { class: "display log calls" },
        ...items.map(({ at, method, path, status, milliseconds }) =>
          h(
            "li",
            { class: `line call${status >= 400 ? " refused" : ""}` },
            time(at),
            h("b", {}, method),
            h("span", { class: "path", title: path }, path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path),
            h("span", { class: "status" }, String(status)),
            h("span", { class: "took" }, `${grouped(milliseconds)} ms`),
          ),
        ),
      ),
      items.length < total &&
        h("p", { class: "more" }, `The last ${items.length} of ${grouped(total)} remembered calls.`),
    ),
  );
}
