/** `Worker`: a name and the settings that no version carries. */
import { at } from "./api.ts";
import { type Kind, segments } from "./kind.ts";
import { fromWire, toWire } from "./names.ts";
import { isObject, made, type Properties, refreshed, text, without } from "./values.ts";

/** What the provider sends for settings that are not given. */
const TRACES = { destinations: [], enabled: false, headSamplingRate: 1, persist: true };
const OBSERVABILITY = { enabled: false, headSamplingRate: 1 };
const SUBDOMAIN = { enabled: false, previewsEnabled: false };

const collection = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/workers/workers`;
const one = (state: Properties, id: string) => `${collection(state)}${at`/${id}`}`;
const body = (inputs: Properties) => toWire(without(inputs, "accountId", "force"));

export const worker: Kind = {
  type: "cloudflare:index/worker:Worker",
  required: ["accountId", "name"],
  replacedBy: ["accountId"],

  defaults: (inputs) => ({
    logpush: false,
    tags: [],
    tailConsumers: [],
    ...inputs,
    subdomain: withDefaults(SUBDOMAIN, inputs.subdomain),
    observability: withTraces(withDefaults(OBSERVABILITY, inputs.observability)),
  }),

  async create({ api }, inputs) {
    const live = fromWire(await api.post(collection(inputs), body(inputs)));
    return { id: text(live, "id"), state: made(live, inputs) };
  },

  async read({ api }, id, prior) {
    const result = await api.find(one(prior, id));
    return result && refreshed(prior, fromWire(result));
  },

  async update({ api }, id, inputs) {
    return made(fromWire(await api.put(one(inputs, id), body(inputs))), inputs);
  },

  remove: ({ api }, id, state) => api.remove(one(state, id), state.force === true ? { query: { force: true } } : {}),

  imports: {
    parse(importId) {
      const [accountId, id = ""] = segments(importId, "account id", "worker id");
      return { id, prior: { accountId } };
    },
    inputs: ["accountId", "name", "logpush", "observability", "subdomain", "tags", "tailConsumers"],
  },

  async find({ api }, inputs) {
    const result = await api.find(one(inputs, text(inputs, "name")));
    return result && text(result, "id");
  },
};

const withDefaults = (defaults: Properties, given: unknown): unknown =>
  given === undefined || isObject(given) ? { ...defaults, ...given } : given;

const withTraces = (observability: unknown): unknown =>
  isObject(observability) ? { ...observability, traces: withDefaults(TRACES, observability.traces) } : observability;
