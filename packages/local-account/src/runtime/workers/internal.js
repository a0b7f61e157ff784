/**
 * The account's own Worker inside workerd. It passes requests on to the deployed Workers, and has a binding to every KV
 * namespace, bucket and database for the REST API.
 */

/** Passes a request on to a deployed Worker. Marks exceptions, so that the front door can tell them from answers. */
async function dispatch(request, env, service) {
  const forwarded = new Request(request);
  forwarded.headers.delete("Account-Secret");
  forwarded.headers.delete("Account-Service");
  forwarded.headers.delete("Account-Task");
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

/** The SQL of a database, by a statement that only Miniflare knows. */
async function dump(request, database) {
  const { noSchema, noData, tables } = await request.json();
  try {
    const statement = database.prepare("PRAGMA miniflare_d1_export(?,?,?);").bind(noSchema, noData, ...tables);
    const [lines] = await statement.raw();
    return Response.json({ sql: lines.join("\n") });
  } catch (error) {
    return Response.json({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** Passes a batch of a KV namespace on to its object (kv.js). */
function batch(request, objects, namespace) {
  const { method, body } = request;
  const init = { method, body, cf: { miniflare: { name: namespace } } };
  return objects.get(objects.idFromName(namespace)).fetch("http://account/", init);
}

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
    if (request.headers.has("Account-Ping")) return new Response();
    // Written at once, before anything else can run: so the account knows what has begun if workerd is stuck.
    console.debug(`${env.SECRET} ${request.headers.get("Account-Task")}`);
    const database = request.headers.get("Account-Database");
    if (database !== null) {
      const isExport = request.headers.get("Account-Call") === "export";
      return (isExport ? dump : query)(request, env[`d1:${database}`]);
    }
    const namespace = request.headers.get("Account-Kv");
    if (namespace !== null) return batch(request, env.KV_OBJECTS, namespace);
    const queue = request.headers.get("Account-Queue");
    if (queue !== null) return askQueue(request, env.QUEUE_OBJECTS, queue);
    const workflow = request.headers.get("Account-Workflow");
    if (workflow !== null) return askWorkflow(request, env, workflow);
    return dispatch(request, env, request.headers.get("Account-Service"));
  },
};
