/** `WorkersRoute` and `WorkersCustomDomain`: where in a zone a Worker answers. */
import { at } from "./api.ts";
import { type Kind, segments } from "./kind.ts";
import { fromWire, toWire } from "./names.ts";
import { made, type Properties, pick, refreshed, text } from "./values.ts";

const routes = (inputs: Properties) => at`/zones/${text(inputs, "zoneId")}/workers/routes`;
const route = (state: Properties, id: string) => `${routes(state)}${at`/${id}`}`;
const routeBody = (inputs: Properties) => toWire(pick(inputs, "pattern", "script"));

export const workersRoute: Kind = {
  type: "cloudflare:index/workersRoute:WorkersRoute",
  required: ["zoneId", "pattern"],
  replacedBy: ["zoneId"],

  async create({ api }, inputs) {
    const live = fromWire(await api.post(routes(inputs), routeBody(inputs)));
    return { id: text(live, "id"), state: made(live, inputs) };
  },

  async read({ api }, id, prior) {
    const result = await api.find(route(prior, id));
    return result && refreshed(prior, fromWire(result));
  },

  async update({ api }, id, inputs) {
    return made(fromWire(await api.put(route(inputs, id), routeBody(inputs))), inputs);
  },

  remove: ({ api }, id, state) => api.remove(route(state, id)),

  imports: {
    parse(importId) {
      const [zoneId, id = ""] = segments(importId, "zone id", "route id");
      return { id, prior: { zoneId } };
    },
    inputs: ["zoneId", "pattern", "script"],
  },

  async find({ api }, inputs) {
    const found = (await api.list(routes(inputs))).find(({ pattern }) => pattern === inputs.pattern);
    return found && text(found, "id");
  },
};

const domains = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/workers/domains`;
const domain = (state: Properties, id: string) => `${domains(state)}${at`/${id}`}`;

export const workersCustomDomain: Kind = {
  type: "cloudflare:index/workersCustomDomain:WorkersCustomDomain",
  required: ["accountId", "hostname", "service"],
  replacedBy: "all",

  async create({ api }, inputs) {
    const body = toWire(pick(inputs, "hostname", "service", "zoneId", "zoneName", "environment"));
    const live = fromWire(await api.put(domains(inputs), body));
    return { id: text(live, "id"), state: made(live, inputs) };
  },

  async read({ api }, id, prior) {
    const result = await api.find(domain(prior, id));
    return result && refreshed(prior, fromWire(result));
  },

  remove: ({ api }, id, state) => api.remove(domain(state, id)),

  imports: {
    parse(importId) {
      const [accountId, id = ""] = segments(importId, "account id", "domain id");
      return { id, prior: { accountId } };
    },
    inputs: ["accountId", "zoneId", "zoneName", "hostname", "service", "environment"],
  },
};
