/** What a resource is said to become in a preview, as the provider's framework plans it. */
import { factsOn } from "../../../infra/provider/facts/index.ts";
import type { Attributes } from "../../../infra/provider/facts/types.ts";
import { isObject, type Properties, UNKNOWN } from "../../../infra/provider/values.ts";

/** `inputs`, and everything that the API will fill in as not known yet, inside of objects that are set, too. */
export const planned = (type: string, inputs: Properties): Properties => within(inputs, "", factsOn(type).attributes);

function within(given: Properties, path: string, attributes: Attributes): Properties {
  const all = { ...given };
  for (const [full, { type, computed, readOnly }] of Object.entries(attributes)) {
    const name = full.slice(path.length);
    if (!full.startsWith(path) || /[.[]/.test(name)) continue;
    const value = all[name];
    if (value === undefined && (computed || readOnly)) all[name] = UNKNOWN;
    else if (type === "object" && isObject(value)) all[name] = within(value, `${full}.`, attributes);
  }
  return all;
}
