/** A page of the account on its API's port: what is deployed, what is provisioned, what was asked. It changes nothing. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import { html } from "hono/html";
import { secureHeaders } from "hono/secure-headers";
import type { Account } from "../account.ts";
import { loopbackOnly } from "../api/app.ts";
import type { Call, Calls } from "../calls.ts";
import type { State, Version, Worker } from "../model.ts";
import { namespacesOf, servingVersions, versionsOf } from "../queries.ts";

/** How many versions of a Worker the page shows. */
const SHOWN_VERSIONS = 10;
/** How many calls it shows. */
const SHOWN_CALLS = 50;

const STYLE = readFileSync(path.join(import.meta.dirname, "view.css"), "utf8");

type Fragment = ReturnType<typeof html>;

interface ViewOptions {
  readonly account: Account;
  readonly calls: Calls;
  readonly addressOf: (worker: string) => string;
}

/** Routes `/` and `/view.css`. No token: it shows no secret, and answers on loopback names only. */
export const view = (options: ViewOptions): Hono =>
  new Hono()
    .use(loopbackOnly)
    .use(secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'none'"], styleSrc: ["'self'"] } }))
    .get("/view.css", (c) => c.body(STYLE, 200, { "content-type": "text/css; charset=utf-8" }))
    .get("/", async (c) => c.html(await page(options)));

async function page({ account, calls, addressOf }: ViewOptions): Promise<Fragment> {
  const { state, identity } = account;
  const counts = new Map<string, number>();
  for (const id of state.namespaces.keys()) counts.set(id, (await account.runtime.objects(id)).length);
  const workers = [...state.workers.values()];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="refresh" content="5" />
        <title>Local account</title>
        <link rel="stylesheet" href="/view.css" />
      </head>
      <body>
        <header>
          <h1>Local account</h1>
          <p>${identity.accountId}</p>
        </header>
        <main>
          <section>
            <h2>Workers</h2>
            ${workers.length === 0 ? html`<p>None yet.</p>` : workers.map((worker) => workerPart(state, worker, addressOf))}
          </section>
          <section>
            <h2>Durable Object namespaces</h2>
            ${table(
              ["Worker", "Class", "Storage", "Objects", "Id"],
              [...state.namespaces.values()].map(({ id, workerId, className, storage }) => [
                state.workers.get(workerId)?.name ?? "",
                className,
                storage,
                String(counts.get(id) ?? 0),
                id,
              ]),
            )}
          </section>
          <section>
            <h2>History of classes</h2>
            ${table(["When", "Worker", "Version", "Change"], history(state))}
          </section>
          <section>
            <h2>Storage and addresses</h2>
            ${table(
              ["Kind", "Name", "Detail"],
              [
                ...[...state.kvNamespaces.values()].map(({ title, id }) => ["KV namespace", title, id]),
                ...[...state.buckets.values()].map(({ name, location }) => ["R2 bucket", name, location]),
                ...[...state.databases.values()].map(({ name, id }) => ["D1 database", name, id]),
                ...[...state.routes.values()].map(({ pattern, script }) => ["Route", pattern, script ?? "no Worker"]),
                ...[...state.domains.values()].map(({ hostname, service }) => ["Custom domain", hostname, service]),
              ],
            )}
          </section>
          <section>
            <h2>Last calls</h2>
            ${table(["When", "Call", "Status", "ms"], calls.recent.slice(0, SHOWN_CALLS).map(callRow))}
          </section>
        </main>
      </body>
    </html>`;
}

function workerPart(state: State, worker: Worker, addressOf: (worker: string) => string): Fragment {
  const traffic = new Map(servingVersions(state, worker.id).map(({ version, percentage }) => [version.id, percentage]));
  const classes = namespacesOf(state, worker.id).map(({ className }) => className);
  return html`<article>
    <h3>${worker.name}</h3>
    <p>
      ${worker.subdomain.enabled ? html`<a href="${addressOf(worker.name)}">${addressOf(worker.name)}</a>` : "not on the subdomain"}
      ${classes.length > 0 ? ` · ${classes.join(", ")}` : ""}
      ${worker.schedules.length > 0 ? ` · cron ${worker.schedules.map(({ cron }) => cron).join(", ")}` : ""}
    </p>
    ${table(
      ["Traffic", "Version", "Created", "Tag", "Message", "Assets", "Id"],
      versionsOf(state, worker.id)
        .slice(0, SHOWN_VERSIONS)
        .map(({ id, number, createdOn, annotations, assets }) => [
          traffic.has(id) ? `${traffic.get(id)} %` : "",
          String(number),
          time(createdOn),
          annotations["workers/tag"] ?? "",
          annotations["workers/message"] ?? "",
          assets === undefined ? "" : files(assets.files),
          id,
        ]),
    )}
  </article>`;
}

/** Every change of classes that a version of an existing Worker brought, newest first. */
function history(state: State): string[][] {
  return [...state.versions.values()]
    .flatMap((version) => {
      const change = changeOf(version);
      const worker = state.workers.get(version.workerId)?.name ?? "";
      return change === ""
        ? []
        : [{ at: version.createdOn, row: [time(version.createdOn), worker, String(version.number), change] }];
    })
    .sort((a, b) => (a.at < b.at ? 1 : -1))
    .map(({ row }) => row);
}

function changeOf({ report, migrations, migrationTag }: Version): string {
  if (report === null) return migrations === null || migrationTag === null ? "" : `migrations to tag ${migrationTag}`;
  return [
    ...report.created.map((name) => `+ ${name}`),
    ...report.deleted.map((name) => `− ${name}`),
    ...report.renamed.map(({ from, to }) => `${from} → ${to}`),
    ...report.transferred.map(({ class: name, to }) => `${name} → Worker ${to}`),
    ...report.transfer_pending.map(({ class: name, from }) => `${name} expected from ${from}`),
  ].join(", ");
}

const callRow = ({ at, method, path: called, status, milliseconds }: Call) => [
  time(at),
  `${method} ${called}`,
  String(status),
  String(milliseconds),
];

const files = (count: number) => `${count} ${count === 1 ? "file" : "files"}`;

const time = (at: string) => at.slice(0, 19).replace("T", " ");

function table(heads: readonly string[], rows: readonly (readonly string[])[]): Fragment {
  if (rows.length === 0) return html`<p>None.</p>`;
  return html`<div class="scroll"><table>
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
