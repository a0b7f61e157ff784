/** The state of a resource in a preview, as the provider's framework plans it. */
import { factsOn } from "../../../infra/provider/facts/index.ts";
import { filled } from "../../../infra/provider/kind.ts";
import { type Properties, UNKNOWN } from "../../../infra/provider/values.ts";

/** `inputs`, with everything that the API will fill in as unknown, also inside of nested objects. */
export const planned = (type: string, inputs: Properties): Properties =>
  filled(inputs, factsOn(type).attributes, ({ computed, readOnly }) => (computed || readOnly ? UNKNOWN : undefined));
