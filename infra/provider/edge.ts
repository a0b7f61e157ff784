/** `WorkersRoute` and `WorkersCustomDomain`: where in a zone a Worker answers. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { type Properties, pick, text } from "./values.ts";

const routes = (inputs: Properties) => at`/zones/${text(inputs, "zoneId")}/workers/routes`;
const route = (state: Properties, id: string) => `${routes(state)}${at`/${id}`}`;
const routeBody = (inputs: Properties) => toWire(pick(inputs, "pattern", "script"));

export const workersRoute: Kind = {
  type: "cloudflare:index/workersRoute:WorkersRoute",

  async create({ api }, inputs) {
    const live = await api.post(routes(inputs), routeBody(inputs));
    return { id: text(live, "id"), state: stateAfter(live, inputs) };
  },

  read: readAt(route),

  async update({ api }, id, inputs) {
    return stateAfter(await api.put(route(inputs, id), routeBody(inputs)), inputs);
  },

  remove: ({ api }, id, state) => api.remove(route(state, id)),

  async find({ api }, inputs) {
    const found = (await api.list(routes(inputs))).find(({ pattern }) => pattern === inputs.pattern);
    return found && text(found, "id");
  },
};

const domains = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/workers/domains`;
const domain = (state: Properties, id: string) => `${domains(state)}${at`/${id}`}`;

export const workersCustomDomain: Kind = {
  type: "cloudflare:index/workersCustomDomain:WorkersCustomDomain",

  async create({ api }, inputs) {
    const body = toWire(pick(inputs, "hostname", "service", "zoneId", "zoneName", "environment"));
    const live = await api.put(domains(inputs), body);
    return { id: text(live, "id"), state: stateAfter(live, inputs) };
  },

  read: readAt(domain),

  remove: ({ api }, id, state) => api.remove(domain(state, id)),
};
