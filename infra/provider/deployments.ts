/** `WorkersDeployment`: where a Worker's traffic goes. The newest one is in force, and none is ever taken away. */
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { fromWire, toWire } from "./names.ts";
import { readAt } from "./read-at.ts";
import { made, type Properties, text, without } from "./values.ts";

const collection = (inputs: Properties) =>
  at`/accounts/${text(inputs, "accountId")}/workers/scripts/${text(inputs, "scriptName")}/deployments`;

export const workersDeployment: Kind = {
  type: "cloudflare:index/workersDeployment:WorkersDeployment",

  async create({ api }, inputs) {
    const body = toWire(without(inputs, "accountId", "scriptName", "force"));
    const extra = inputs.force === undefined ? {} : { query: { force: inputs.force === true } };
    const live = fromWire(await api.post(collection(inputs), body, extra));
    return { id: text(live, "id"), state: made(live, inputs) };
  },

  read: readAt((state, id) => `${collection(state)}${at`/${id}`}`),
};
