/** `Worker`: a name and the settings that no version carries. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { isObject, type Properties, text, without } from "./values.ts";

const collection = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/workers/workers`;
const one = (state: Properties, id: string) => `${collection(state)}${at`/${id}`}`;
const body = (inputs: Properties) => toWire(without(inputs, "accountId", "force"));

export const worker: Kind = {
  type: "cloudflare:index/worker:Worker",

  /** Previews are on where workers.dev is, if nothing else is said. */
  defaults: (inputs) => {
    const { subdomain } = inputs;
    if (!isObject(subdomain) || subdomain.enabled === undefined) return inputs;
    return { ...inputs, subdomain: { previewsEnabled: subdomain.enabled, ...subdomain } };
  },

  async create({ api }, inputs) {
    const live = await api.post(collection(inputs), body(inputs));
    return { id: text(live, "id"), state: stateAfter(live, inputs) };
  },

  read: readAt(one),

  async update({ api }, id, inputs) {
    return stateAfter(await api.put(one(inputs, id), body(inputs)), inputs);
  },

  remove: ({ api }, id, state) => api.remove(one(state, id), state.force === true ? { query: { force: true } } : {}),

  async find({ api }, inputs) {
    const result = await api.find(one(inputs, text(inputs, "name")));
    return result && text(result, "id");
  },
};
