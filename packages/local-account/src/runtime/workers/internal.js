/**
 * The account's own Worker inside workerd. It passes requests on to the deployed Workers, and has a binding to every KV
 * namespace, bucket and database for the REST API. To find out what an uploaded bundle exports, it starts the bundle in
 * an isolate of its own (a worker loader).
 */

/** The main module in the isolate of a bundle. `{{main}}` is the name of the uploaded main module. */
const PROBE = `
import * as bundle from {{main}};
import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";

const BASES = [["durable-object", DurableObject], ["worker", WorkerEntrypoint], ["workflow", WorkflowEntrypoint]];

function kindOf(value) {
  for (const [kind, base] of BASES) if (base.isPrototypeOf(value)) return kind;
  return "function";
}

function handlersOf(value) {
  const names = new Set();
  let object = typeof value === "function" ? value.prototype : value;
  for (; object && object !== Object.prototype && object !== WorkerEntrypoint.prototype; object = Object.getPrototypeOf(object))
    for (const [name, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(object)))
      if (name !== "constructor" && typeof member === "function") names.add(name);
  return [...names].sort();
}

export default {
  fetch() {
    const named = {};
    for (const [name, value] of Object.entries(bundle))
      if (name !== "default" && typeof value === "function") named[name] = kindOf(value);
    return Response.json({ handlers: handlersOf(bundle.default), named });
  },
};
`;

const PROBE_NAME = "account:probe.js";

const decode = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const text = (base64) => new TextDecoder().decode(decode(base64));

/** The form in which a worker loader takes a module of each type. */
const LOADED = {
  esm: (contents) => ({ js: text(contents) }),
  cjs: (contents) => ({ cjs: text(contents) }),
  text: (contents) => ({ text: text(contents) }),
  data: (contents) => ({ data: decode(contents).buffer }),
  wasm: (contents) => ({ wasm: decode(contents).buffer }),
  json: (contents) => ({ json: JSON.parse(text(contents)) }),
};

/** Starts an uploaded bundle in isolation, and answers with its exports, or why it does not start. */
async function inspect(request, env) {
  const { modules, mainModule, compatibilityDate, compatibilityFlags, vars } = await request.json();
  const started = performance.now();
  try {
    const worker = env.LOADER.load({
      compatibilityDate,
      compatibilityFlags,
      mainModule: PROBE_NAME,
      modules: {
        ...Object.fromEntries(modules.map(({ name, type, base64 }) => [name, LOADED[type](base64)])),
        [PROBE_NAME]: { js: PROBE.replace("{{main}}", JSON.stringify(`/${mainModule}`)) },
      },
      env: vars,
      globalOutbound: null,
    });
    const code = await (await worker.getEntrypoint().fetch("http://probe/")).json();
    return Response.json({ code, milliseconds: performance.now() - started });
  } catch (error) {
    return Response.json({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** Passes a request on to a deployed Worker. Marks exceptions, so that the front door can tell them from answers. */
async function dispatch(request, env, service) {
  const forwarded = new Request(request);
  forwarded.headers.delete("Account-Secret");
  forwarded.headers.delete("Account-Service");
  try {
    return await env[`service:${service}`].fetch(forwarded);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return new Response(text, { status: 500, headers: { "Account-Thrown": env.SECRET } });
  }
}

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

/** An event of a tailed Worker in the form that `wrangler tail` reads. */
function traceOf(item, scriptName) {
  const { request, response, ...event } = item.event ?? {};
  return {
    outcome: item.outcome,
    scriptName,
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
    const traces = items.map((item) => traceOf(item, ctx.props.worker));
    await env.TRACES.fetch("http://account/", { method: "POST", body: JSON.stringify(traces) });
  },

  async fetch(request, env) {
    if (request.headers.get("Account-Secret") !== env.SECRET) return new Response("not found", { status: 404 });
    const database = request.headers.get("Account-Database");
    if (database !== null) return query(request, env[`d1:${database}`]);
    const service = request.headers.get("Account-Service");
    return service === null ? inspect(request, env) : dispatch(request, env, service);
  },
};
