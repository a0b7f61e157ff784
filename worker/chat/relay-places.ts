/** Where the relays of a room are, and how a room and its relays find each other. */
import { objectName, placeOfObject, stubAt } from "../objects/names.ts";
import { stackOf } from "../stack.ts";
import { chat } from "./pattern.ts";
import { relayAddress, relayPlace } from "./relaying.ts";

/** The names of a room's relays for those whom it has no place for. */
export function relayNames(env: Env, room: string): string[] {
  const { regions, settings } = stackOf(env);
  const home = placeOfObject(regions, room);
  if (!home) return [];
  return Array.from({ length: settings.chat.relays }, (_, i) => {
    const { name, place } = relayPlace(chat.name, { home, region: home.region, number: i + 1 });
    return objectName(regions, name, place);
  });
}

/** The relay of this name. */
export function relayNamed(env: Env, relay: string) {
  const address = relayAddress(stackOf(env).regions, relay);
  if (!address) throw new Error(`The region of the relay ${relay} is not in the region table`);
  const { name, place } = relayPlace(chat.name, address);
  return stubAt(env, { name, binding: chat.binding }, place);
}

/** How a relay calls its home; undefined if the object of this name is a room. */
export function homeOf(env: Env, name: string) {
  const address = relayAddress(stackOf(env).regions, name);
  return address && (() => stubAt(env, chat, address.home));
}
