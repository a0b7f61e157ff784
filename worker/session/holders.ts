/** Objects that hold WebSockets of a session open, and must be told when it ends. */

import { inJurisdiction } from "../objects/names.ts";

/** Objects that one session may hold WebSockets in at once. */
export const MAX_HOLDERS = 100;

/** Where such an object is. */
export interface Holder {
  readonly binding: string;
  readonly name: string;
  readonly jurisdiction?: DurableObjectJurisdiction | undefined;
}

/** What its class has for it. `session` is the name of the session's object. */
export interface HoldsSessions extends Rpc.DurableObjectBranded {
  /** Closes the session's WebSockets, and lets no more of them in. */
  sessionEnded(session: string): void;
  holdsSession(session: string): boolean;
}

/** A stub of such an object; undefined where the release has no such binding any more. */
export function holderOf(
  env: Env,
  { binding, name, jurisdiction }: Holder,
): DurableObjectStub<HoldsSessions> | undefined {
  const namespace: unknown = Reflect.get(env, binding);
  if (!isNamespace(namespace)) return undefined;
  return (jurisdiction ? inJurisdiction(namespace, jurisdiction) : namespace).getByName(name);
}

const isNamespace = (value: unknown): value is DurableObjectNamespace<HoldsSessions> =>
  typeof value === "object" && value !== null && "getByName" in value;
