/** Where the relays of a room are, and how a room and its relays find each other. */
import type { Regions } from "../../contract/regions.ts";
import { objectName, type Place, placeOfObject, regionOfObject, stubAt } from "../objects/names.ts";
import { stackOf } from "../stack.ts";
import { chat } from "./pattern.ts";

/** Where a relay is, and for which room. */
interface RelayAddress {
  readonly home: Place;
  /** The relay's own region. */
  readonly region: Place["region"];
  readonly number: number;
}

/**
 * The name of a relay: `<environment prefix><region prefix>:chat:<home region>:<room>:<number>`. An id has no colon, so
 * no room has such a name. Returns the parts for `stubAt`.
 */
export const relayPlace = (
  pattern: string,
  { home, region, number }: RelayAddress,
): { name: string; place: Place } => ({
  name: `${pattern}:${home.region.id}:${home.id}`,
  place: { region, id: String(number) },
});

/** The address of a relay, by its object's name; undefined if it is a room. */
export function relayAddress(table: Regions, name: string): RelayAddress | undefined {
  const [, , homeId, id, number] = name.split(":");
  if (homeId === undefined || id === undefined || number === undefined) return undefined;
  const home = table.regions.find((region) => region.id === homeId);
  const region = regionOfObject(table, name);
  return home && region && { home: { region: home, id }, region, number: Number(number) };
}

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

/** The relay at an address. */
export function relayAt(env: Env, address: RelayAddress) {
  const { name, place } = relayPlace(chat.name, address);
  return stubAt(env, { name, binding: chat.binding }, place);
}

/** The relay of this name. */
export function relayNamed(env: Env, relay: string) {
  const address = relayAddress(stackOf(env).regions, relay);
  if (!address) throw new Error(`The region of the relay ${relay} is not in the region table`);
  return relayAt(env, address);
}

/** How a relay calls its home; undefined if the object of this name is a room. */
export function homeOf(env: Env, name: string) {
  const address = relayAddress(stackOf(env).regions, name);
  return address && (() => stubAt(env, chat, address.home));
}
