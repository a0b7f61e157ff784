/**
 * The account's own Worker inside workerd. It passes requests on to the deployed Workers, and has a binding to every KV
 * namespace, bucket and database for the REST API.
 */

import { endingAfter, readThrough } from "./bodies.js";
import { encoded } from "./encodings.js";

/**
 * Tells the account how far a task is, by a line of the log (activity.ts). It is written at once, before anything else
 * can run: so the account knows it even if workerd is stuck after that.
 */
function tell(env, task, news) {
  console.debug(`${env.SECRET} ${news} ${task}`);
}

/** Passes a request on to a deployed Worker. Marks exceptions, so that the front door can tell them from answers. */
async function dispatch(request, env, how) {
  const [secret, task, encodings, service] = how.split(" ");
  if (secret !== env.SECRET) return NOT_FOUND();
  tell(env, task, "begun");
  const { forwarded, read } = readThrough(request);
  forwarded.headers.delete("Account-Dispatch");
  try {
    const response = await endingAfter(read, await env[`service:${service}`].fetch(forwarded));
    tell(env, task, "answered");
    return encodings === "" ? response : encoded(response, decodeURIComponent(encodings));
  } catch (error) {
    await read;
    const text = error instanceof Error ? error.message : String(error);
    return new Response(text, { status: 500, headers: { "Account-Thrown": env.SECRET } });
  }
}

const NOT_FOUND = () => new Response("not found", { status: 404 });

/** Runs statements on a database, all or none. */
async function query(request, database) {
  const statements = await request.json();
  try {
    const prepared = statements.map(({ sql, params }) => database.prepare(sql).bind(...params));
    return Response.json({ results: await database.batch(prepared) });
  } catch (error) {
    return Response.json({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** The SQL of a database, by a statement that only Miniflare knows. */
async function dump(request, database) {
  const { noSchema, noData, tables } = await request.json();
  try {
    const statement = database.prepare("PRAGMA miniflare_d1_export(?,?,?);").bind(noSchema, noData, ...tables);
    const [lines] = await statement.raw();
    return Response.json({ sql: lines.join("\n") });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // Miniflare throws where it makes the SQL, and the text has the stack of that. The rest is Cloudflare's sentence.
    const [, told] = /D1 Export error: (.*)/.exec(text) ?? [];
    return Response.json({ error: told ?? text });
  }
}

/** Passes a batch of a KV namespace on to its object (kv.js). */
function batch(request, objects, namespace) {
  const { method, body } = request;
  const init = { method, body, cf: { miniflare: { name: namespace } } };
  return objects.get(objects.idFromName(namespace)).fetch("http://account/", init);
}

/**
 * Calls a method of a KV namespace, a bucket or a Worker (storage.ts). The answer has the result in a header if it also
 * has bytes.
 */
async function callBinding(request, env) {
  const { on, method, args } = JSON.parse(decodeURIComponent(request.headers.get("Account-Call")));
  if (method === "put") {
    const metadata = args[1]?.httpMetadata;
    if (metadata?.cacheExpiry !== undefined) metadata.cacheExpiry = new Date(metadata.cacheExpiry);
    args.splice(1, 0, await request.arrayBuffer());
  }
  let result;
  try {
    result = await env[on][method](...args);
  } catch (error) {
    return new Response(error instanceof Error ? error.message : String(error), { status: 500 });
  }
  if (result instanceof ArrayBuffer) return new Response(result, { headers: { "Account-Result": "{}" } });
  const json = JSON.stringify(result?.httpEtag === undefined ? (result ?? null) : stored(result));
  if (result?.body === undefined) return new Response(json);
  return new Response(result.body, { headers: { "Account-Result": encodeURIComponent(json) } });
}

/** An object of a bucket. JSON.stringify would leave out what its class has. */
const stored = ({ key, size, etag, version, httpEtag, uploaded, httpMetadata, customMetadata, storageClass }) => ({
  ...{ key, size, etag, version, httpEtag, uploaded, httpMetadata, customMetadata, storageClass },
});

/** Asks the object of a queue (queues.js). */
function askQueue(request, objects, queue) {
  const init = { method: "POST", headers: { "Account-Queue": queue }, body: request.body };
  const call = `http://account/${request.headers.get("Account-Call")}`;
  return objects.get(objects.idFromName(queue)).fetch(call, init);
}

/** Asks a workflow (workflows.js). */
function askWorkflow(request, env, name) {
  const workflow = env[`workflow:${decodeURIComponent(name)}`];
  if (workflow === undefined) return Response.json({ error: "its Worker has no such class, or no deployment" });
  return workflow.fetch(`http://account/${request.headers.get("Account-Call")}`, {
    method: "POST",
    body: request.body,
  });
}

/** The Workers whose events the account wants all; of the others it gets those with exceptions. */
let tailed;

/** An event of a tailed Worker in the form that `wrangler tail` reads. */
function traceOf(item, service) {
  const { request, response, ...event } = item.event ?? {};
  return {
    outcome: item.outcome,
    service,
    entrypoint: item.entrypoint,
    exceptions: item.exceptions.map(({ name, message, stack, timestamp }) => ({ name, message, stack, timestamp })),
    logs: item.logs.map(({ message, level, timestamp }) => ({ message, level, timestamp })),
    diagnosticsChannelEvents: [],
    eventTimestamp: item.eventTimestamp,
    event: {
      ...event,
      ...(request === undefined
        ? {}
        : { request: { url: request.url, method: request.method, headers: { ...request.headers }, cf: request.cf } }),
      ...(response === undefined ? {} : { response: { status: response.status } }),
    },
  };
}

export default {
  async tail(items, env, ctx) {
    const { service } = ctx.props;
    tailed ??= new Set(env.TAILED);
    const wanted = tailed.has(service.split("@", 1)[0])
      ? items
      : items.filter(({ exceptions }) => exceptions.length > 0);
    if (wanted.length === 0) return;
    const traces = wanted.map((item) => traceOf(item, service));
    await env.TRACES.fetch("http://account/", { method: "POST", body: JSON.stringify(traces) });
  },

  async fetch(request, env) {
    const how = request.headers.get("Account-Dispatch");
    if (how !== null) return dispatch(request, env, how);
    if (request.headers.get("Account-Secret") !== env.SECRET) return NOT_FOUND();
    if (request.headers.has("Account-Ping")) return new Response();
    // It begins nothing: another workerd is told of the tails while all that has waited for it begins.
    if (request.headers.has("Account-Tailed")) {
      tailed = new Set(await request.json());
      return Response.json({});
    }
    tell(env, request.headers.get("Account-Task"), "begun");
    const database = request.headers.get("Account-Database");
    if (database !== null) {
      const isExport = request.headers.get("Account-Call") === "export";
      return (isExport ? dump : query)(request, env[`d1:${database}`]);
    }
    const namespace = request.headers.get("Account-Kv");
    if (namespace !== null) return batch(request, env.KV_OBJECTS, namespace);
    if (request.headers.has("Account-Binding")) return callBinding(request, env);
    const queue = request.headers.get("Account-Queue");
    if (queue !== null) return askQueue(request, env.QUEUE_OBJECTS, queue);
    const workflow = request.headers.get("Account-Workflow");
    if (workflow !== null) return askWorkflow(request, env, workflow);
    return NOT_FOUND();
  },
};
