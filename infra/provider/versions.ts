/** `WorkerVersion`: code and bindings that never change. Modules are read from files, and bindings go out by name. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../common/errors.ts";
import { digestOf } from "../release/manifest.ts";
import { type Api, at } from "./api.ts";
import { knownAssets, sentAssets } from "./assets.ts";
import type { Kind } from "./kind.ts";
import { fromWire, toWire } from "./names.ts";
import {
  covers,
  isObject,
  made,
  object,
  objects,
  type Properties,
  parsed,
  pick,
  refreshed,
  text,
  UNKNOWN,
  without,
} from "./values.ts";

const collection = (inputs: Properties) =>
  at`/accounts/${text(inputs, "accountId")}/workers/workers/${text(inputs, "workerId")}/versions`;

export const workerVersion: Kind = {
  type: "cloudflare:index/workerVersion:WorkerVersion",
  same: { bindings: sameBindings },
  resolve: withHashes,

  async create({ api, folder }, inputs) {
    const { deploy } = inputs;
    const extra = deploy === undefined ? {} : { query: { deploy: deploy === true } };
    const result = await api.post(collection(inputs), await body(api, inputs, folder), extra);
    const known = withHashes(inputs, folder);
    return { id: text(result, "id"), state: made(stateOf(result, known), known) };
  },

  // In name only: no call is made, and other files with the same contents are noted.
  async update({ folder }, _id, inputs, state) {
    return { ...state, ...pick(withHashes(inputs, folder), "modules") };
  },

  async read({ api }, id, prior) {
    const result = await api.find(`${collection(prior)}${at`/${id}`}`, { query: { include: "modules" } });
    return result && refreshed(prior, stateOf(result, prior));
  },
};

/** A version as a data source returns it. */
export const versionProperties = (result: Properties): Properties => stateOf(result, {});

async function body(api: Api, inputs: Properties, folder: string): Promise<Properties> {
  const sent = without(inputs, "accountId", "workerId", "deploy", "include");
  return toWire({
    ...sent,
    assets: await sentAssets(api, inputs, folder),
    ...(inputs.bindings !== undefined && { bindings: [...objects(inputs.bindings)].sort(byName).map(parsedJson) }),
    ...(inputs.modules !== undefined && {
      modules: objects(inputs.modules).map((module) => ({
        ...pick(module, "name", "contentType"),
        contentBase64: contents(module, folder)?.toString("base64"),
      })),
    }),
  });
}

const byName = (a: Properties, b: Properties): number => (String(a.name) < String(b.name) ? -1 : 1);

/** A `json` binding travels as the value, and is text in Pulumi. */
const parsedJson = (binding: Properties): Properties => {
  if (binding.type !== "json") return binding;
  const json = parsed(binding.json);
  if (json === undefined) throw new Error(`binding ${binding.name}: json must be JSON text`);
  return { ...binding, json };
};

/** The bytes of a module, from its file or its text; undefined where that is not known yet. */
function contents({ name, contentFile, contentBase64 }: Properties, folder: string): Buffer | undefined {
  if (contentFile === UNKNOWN || contentBase64 === UNKNOWN) return undefined;
  if (typeof contentBase64 === "string") return Buffer.from(contentBase64, "base64");
  if (typeof contentFile !== "string") throw new Error(`module ${name}: give it a contentFile or a contentBase64`);
  const path = resolve(folder, contentFile);
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(
      `module ${name}: contentFile ${contentFile} cannot be read (${messageOf(error)}); build the release first`,
    );
  }
}

/** `inputs` with the hash of every module and of the assets, so that a change of a file is a change of the version. */
function withHashes(inputs: Properties, folder: string): Properties {
  return {
    ...inputs,
    ...(isObject(inputs.assets) && { assets: knownAssets(inputs.assets, folder) }),
    ...(Array.isArray(inputs.modules) && {
      modules: objects(inputs.modules).map((module) => {
        const bytes = contents(module, folder);
        return { ...module, contentSha256: bytes ? digestOf(bytes) : UNKNOWN };
      }),
    }),
  };
}

/** A result as state. From `prior` come the order of the bindings, secrets, and the files that modules are from. */
function stateOf(result: Properties, prior: Properties): Properties {
  const live = fromWire(result);
  return {
    ...live,
    // The API says how assets are served and not which they are: what was given stays.
    ...pick(prior, "assets"),
    ...(live.bindings !== undefined && { bindings: bindings(objects(live.bindings), objects(prior.bindings)) }),
    ...(live.modules !== undefined && {
      modules: objects(live.modules).map((module) => moduleState(module, objects(prior.modules))),
    }),
  };
}

function bindings(live: readonly Properties[], prior: readonly Properties[]): readonly Properties[] {
  const place = new Map(prior.map(({ name }, i) => [name, i]));
  const placed = live.toSorted((a, b) => (place.get(a.name) ?? prior.length) - (place.get(b.name) ?? prior.length));
  return placed.map((binding) => {
    const known = object(prior.find(({ name, type }) => name === binding.name && type === binding.type));
    if (binding.type === "secret_text") return { ...binding, ...pick(known, "text") };
    if (binding.type !== "json") return binding;
    // The same value keeps the text that it was given as.
    const same = isDeepStrictEqual(parsed(known.json), binding.json);
    return { ...binding, json: same ? known.json : JSON.stringify(binding.json) };
  });
}

function moduleState(live: Properties, prior: readonly Properties[]): Properties {
  const known = object(prior.find(({ name }) => name === live.name));
  const { contentBase64 } = live;
  const contentSha256 = typeof contentBase64 === "string" ? digestOf(Buffer.from(contentBase64, "base64")) : undefined;
  return {
    ...known,
    ...without(live, "contentBase64"),
    ...(known.contentFile === undefined && pick(live, "contentBase64")),
    ...(contentSha256 !== undefined && { contentSha256 }),
  };
}

/** Whether the bindings are the wanted ones; their order says nothing, nor does the spelling of JSON. */
function sameBindings(actual: unknown, wanted: unknown): boolean {
  if (!Array.isArray(actual) || !Array.isArray(wanted)) return covers(actual, wanted);
  const comparable = (list: readonly unknown[]) =>
    list
      .filter(isObject)
      .toSorted(byName)
      .map((binding) => (binding.type === "json" ? { ...binding, json: parsed(binding.json) } : binding));
  return covers(comparable(actual), comparable(wanted));
}
