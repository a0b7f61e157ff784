/** `WorkersDeployment`: where a Worker's traffic goes. The newest one is in force, and none is ever taken away. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { type Properties, text, without } from "./values.ts";

const collection = (inputs: Properties) =>
  at`/accounts/${text(inputs, "accountId")}/workers/scripts/${text(inputs, "scriptName")}/deployments`;

export const workersDeployment: Kind = {
  type: "cloudflare:index/workersDeployment:WorkersDeployment",

  async create({ api }, inputs) {
    const body = toWire(without(inputs, "accountId", "scriptName", "force"));
    const extra = inputs.force === undefined ? {} : { query: { force: inputs.force === true } };
    const live = await api.post(collection(inputs), body, extra);
    return { id: text(live, "id"), state: stateAfter(live, inputs) };
  },

  read: readAt((state, id) => `${collection(state)}${at`/${id}`}`),
};
