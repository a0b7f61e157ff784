/** Holders: objects with open WebSockets of a session, which must be told when it ends. */

import { inJurisdiction } from "../objects/names.ts";

/** The most objects in which one session may have WebSockets. */
export const MAX_HOLDERS = 100;

/** The address of a holder. */
export interface Holder {
  readonly binding: string;
  readonly name: string;
  readonly jurisdiction?: DurableObjectJurisdiction | undefined;
}

/** The methods that a holder's class needs. `session` is the name of the session's object. */
export interface HoldsSessions extends Rpc.DurableObjectBranded {
  /** Closes the session's WebSockets, and accepts no more of them. */
  sessionEnded(session: string): void;
  holdsSession(session: string): boolean;
}

/** A stub of a holder; undefined if the release no longer has its binding. */
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
