/** What hangs on a Worker's name: whether it is on workers.dev, and its cron triggers. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { objects, type Properties, pick, text } from "./values.ts";

const script = (inputs: Properties) =>
  at`/accounts/${text(inputs, "accountId")}/workers/scripts/${text(inputs, "scriptName")}`;
const subdomain = (inputs: Properties) => `${script(inputs)}/subdomain`;
const schedules = (inputs: Properties) => `${script(inputs)}/schedules`;

export const workersScriptSubdomain: Kind = {
  type: "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain",

  async create({ api }, inputs) {
    const result = await api.post(subdomain(inputs), toWire(pick(inputs, "enabled", "previewsEnabled")));
    return { id: text(inputs, "scriptName"), state: stateAfter(result, inputs) };
  },

  read: readAt(subdomain),

  async update({ api }, _id, inputs) {
    return stateAfter(await api.post(subdomain(inputs), toWire(pick(inputs, "enabled", "previewsEnabled"))), inputs);
  },

  remove: ({ api }, _id, state) => api.remove(subdomain(state)),
};

export const workersCronTrigger: Kind = {
  type: "cloudflare:index/workersCronTrigger:WorkersCronTrigger",

  async create({ api }, inputs) {
    const result = await api.put(schedules(inputs), crons(inputs));
    return { id: text(inputs, "scriptName"), state: stateAfter(result, inputs) };
  },

  read: readAt(schedules),

  async update({ api }, _id, inputs) {
    return stateAfter(await api.put(schedules(inputs), crons(inputs)), inputs);
  },

  // Every Worker has its list of them, and it may be empty.
  async find({ api }, inputs) {
    return (await api.find(schedules(inputs))) && text(inputs, "scriptName");
  },
};

const crons = (inputs: Properties) => objects(inputs.schedules).map((schedule) => pick(schedule, "cron"));
