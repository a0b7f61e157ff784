/** `WorkersKvNamespace` and `R2Bucket`. Both names are unique in an account. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import { inJurisdiction } from "./buckets.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { type Properties, pick, text } from "./values.ts";

const namespaces = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/storage/kv/namespaces`;
const namespace = (state: Properties, id: string) => `${namespaces(state)}${at`/${id}`}`;

export const workersKvNamespace: Kind = {
  type: "cloudflare:index/workersKvNamespace:WorkersKvNamespace",

  async create({ api }, inputs) {
    const live = await api.post(namespaces(inputs), toWire(pick(inputs, "title", "jurisdiction")));
    return { id: text(live, "id"), state: stateAfter(live, inputs) };
  },

  read: readAt(namespace),

  async update({ api }, id, inputs) {
    return stateAfter(await api.put(namespace(inputs, id), toWire(pick(inputs, "title"))), inputs);
  },

  remove: ({ api }, id, state) => api.remove(namespace(state, id)),

  async find({ api }, inputs) {
    const found = (await api.list(namespaces(inputs))).find(({ title }) => title === inputs.title);
    return found && text(found, "id");
  },
};

const buckets = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/r2/buckets`;
const bucket = (state: Properties, name: string) => `${buckets(state)}${at`/${name}`}`;

export const r2Bucket: Kind = {
  type: "cloudflare:index/r2Bucket:R2Bucket",
  // The provider puts a change of it back: a bucket stays where it is.
  same: { location: () => true },

  async create({ api }, inputs) {
    // This one request has its names in camelCase.
    const body = {
      name: inputs.name,
      storageClass: inputs.storageClass,
      ...(inputs.location !== undefined && { locationHint: inputs.location }),
    };
    const result = await api.post(buckets(inputs), body, inJurisdiction(inputs.jurisdiction));
    return { id: text(inputs, "name"), state: stateAfter(result, inputs) };
  },

  read: readAt(bucket, ({ jurisdiction }) => inJurisdiction(jurisdiction)),

  async update({ api }, id, inputs) {
    const result = await api.patch(bucket(inputs, id), {
      headers: { ...inJurisdiction(inputs.jurisdiction).headers, "cf-r2-storage-class": text(inputs, "storageClass") },
    });
    return stateAfter(result, inputs);
  },

  remove: ({ api }, id, state) => api.remove(bucket(state, id), inJurisdiction(state.jurisdiction)),

  async find({ api }, inputs) {
    const result = await api.find(bucket(inputs, text(inputs, "name")), inJurisdiction(inputs.jurisdiction));
    return result && text(result, "name");
  },
};
