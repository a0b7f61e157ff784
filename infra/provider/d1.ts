/** `D1Database`. Its name is unique in an account. */

import { readAt, stateAfter } from "./answers.ts";
import { at } from "./api.ts";
import type { Kind } from "./kind.ts";
import { toWire } from "./names.ts";
import { type Properties, pick, text } from "./values.ts";

const databases = (inputs: Properties) => at`/accounts/${text(inputs, "accountId")}/d1/database`;
const database = (state: Properties, id: string) => `${databases(state)}${at`/${id}`}`;

export const d1Database: Kind = {
  type: "cloudflare:index/d1Database:D1Database",

  async create({ api }, inputs) {
    const body = toWire(pick(inputs, "name", "jurisdiction", "primaryLocationHint"));
    const live = await api.post(databases(inputs), body);
    return { id: text(live, "uuid"), state: stateAfter(live, inputs) };
  },

  read: readAt(database),

  async update({ api }, id, inputs) {
    return stateAfter(await api.put(database(inputs, id), toWire(pick(inputs, "readReplication"))), inputs);
  },

  remove: ({ api }, id, state) => api.remove(database(state, id)),

  async find({ api }, inputs) {
    const found = (await api.list(databases(inputs))).find(({ name }) => name === inputs.name);
    return found && text(found, "uuid");
  },
};
