/**
 * Secret values: wrapped where Pulumi hands them over, plain only in a request to the API, a keyed hash in the state.
 * So the state can tell that a secret has changed, and has nothing to give away.
 */
import { createHmac } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { isObject, type Properties } from "../provider/values.ts";

const { specialSigKey, specialSecretSig } = pulumi.runtime;

const isSecret = (value: unknown): value is Properties => isObject(value) && value[specialSigKey] === specialSecretSig;

/** The key of a hash that stands for a secret in the state. */
const SEAL = "secret-hmac-sha256";

const isSeal = (value: unknown): value is Properties => isObject(value) && typeof value[SEAL] === "string";

/** `value` with every secret plain. */
export function reveal(value: unknown): unknown {
  return isSecret(value) ? reveal(value.value) : within(value, reveal);
}

/** `value` with every secret replaced by its hash under `key`. */
export function seal(value: unknown, key: string): unknown {
  if (!isSecret(value)) return within(value, (inner) => seal(inner, key));
  return {
    [SEAL]: createHmac("sha256", key)
      .update(JSON.stringify(reveal(value)))
      .digest("hex"),
  };
}

/** `value` with every secret replaced by the text that Pulumi shows for one. */
export function conceal(value: unknown): unknown {
  return isSecret(value) ? "[secret]" : within(value, conceal);
}

/** `outputs` with those values wrapped that are secret in `inputs`. */
export function wrapLike(outputs: unknown, inputs: unknown): unknown {
  if (isSecret(inputs)) return { [specialSigKey]: specialSecretSig, value: outputs };
  if (isObject(outputs) && isObject(inputs)) {
    return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, wrapLike(value, inputs[name])]));
  }
  if (Array.isArray(outputs) && Array.isArray(inputs)) return outputs.map((value, i) => wrapLike(value, inputs[i]));
  return outputs;
}

/** Whether both hold the same secrets, whatever else they hold. */
export const sameSecrets = (a: unknown, b: unknown): boolean => isDeepStrictEqual(seals(a).sort(), seals(b).sort());

/** Whether there is a sealed secret anywhere in `value`. */
export const holdsSecrets = (value: unknown): boolean => seals(value).length > 0;

function seals(value: unknown): string[] {
  if (isSeal(value)) return [String(value[SEAL])];
  if (Array.isArray(value)) return value.flatMap(seals);
  return isObject(value) ? Object.values(value).flatMap(seals) : [];
}

function within(value: unknown, change: (inner: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, change(inner)]));
}
