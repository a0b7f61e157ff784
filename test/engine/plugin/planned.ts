/** What a resource is said to become in a preview, as the provider's framework plans it. */
import { factsOn } from "../../../infra/provider/facts/index.ts";
import { filled } from "../../../infra/provider/kind.ts";
import { type Properties, UNKNOWN } from "../../../infra/provider/values.ts";

/** `inputs`, and everything that the API will fill in as not known yet, inside of objects that are set, too. */
export const planned = (type: string, inputs: Properties): Properties =>
  filled(inputs, factsOn(type).attributes, ({ computed, readOnly }) => (computed || readOnly ? UNKNOWN : undefined));
