/**
 * Finds out what an uploaded bundle exports: starts it in an isolate of its own (a worker loader). It runs in a workerd
 * of its own too (prober.ts), because nothing else can end a bundle that never stops starting.
 */

/**
 * Runs before the bundle, whose top level may use `env` of `cloudflare:workers`. What it binds to is not here, so under
 * each of `{{names}}` is something that has every property and method, and gives nothing.
 */
const STAND_INS = `
import { env } from "cloudflare:workers";

const EMPTY = {
  // Not a promise: who awaits it gets it.
  then: undefined,
  toString: () => "",
  toJSON: () => null,
  [Symbol.toPrimitive]: () => "",
  [Symbol.iterator]: function* () {},
  [Symbol.asyncIterator]: async function* () {},
};
const standIn = (target) => new Proxy(target, {
  has: () => true,
  get: (_, key) => (Object.hasOwn(EMPTY, key) ? EMPTY[key] : anything),
  apply: () => anything,
  construct: () => anything,
});
const anything = standIn(function () {});

for (const name of {{names}}) env[name] = standIn({});
`;

/** The main module in the isolate of a bundle. `{{main}}` is the name of the uploaded main module. */
const PROBE = `
import "/account:stand-ins.js";
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
const STAND_INS_NAME = "account:stand-ins.js";

const decode = (base64) => Uint8Array.fromBase64(base64);
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

/** The last bundle that came. */
let bundle;

/** Takes a bundle. What this costs is not the bundle's. */
async function take(request) {
  const { modules, ...rest } = await request.json();
  const loaded = modules.map(({ name, type, base64 }) => [name, LOADED[type](base64)]);
  bundle = { ...rest, modules: Object.fromEntries(loaded) };
  return Response.json({});
}

/** Starts the last bundle in isolation, and answers with its exports, or why it does not start. */
async function inspect(env) {
  const { modules, mainModule, compatibilityDate, compatibilityFlags, vars, standIns } = bundle;
  const started = performance.now();
  try {
    const worker = env.LOADER.load({
      compatibilityDate,
      compatibilityFlags,
      mainModule: PROBE_NAME,
      modules: {
        ...modules,
        // Half of it is Miniflare's, which is not here.
        "cloudflare:email": { js: "export class EmailMessage {}" },
        [STAND_INS_NAME]: { js: STAND_INS.replace("{{names}}", () => JSON.stringify(standIns)) },
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

export default {
  fetch(request, env) {
    // Other users of the machine find the port: what they send is nobody's upload.
    if (request.headers.get("Account-Secret") !== env.SECRET) return new Response("not found", { status: 404 });
    return request.method === "PUT" ? take(request) : inspect(env);
  },
};
