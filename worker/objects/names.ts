/**
 * Names of objects: `<environment prefix><region prefix>:<pattern>:<id>`.
 *
 * An id always means the same object: `eu~lobby` is in the region `eu`, and a bare `lobby` is in the home region, for
 * callers from everywhere. An id that looks like another, or that cannot be a name, is refused before any object is
 * called. Everything but `objectFor` is plain logic.
 */
import type { Context } from "hono";
import { namePrefix, REGION_SEPARATOR, type Region, type Regions } from "../../contract/regions.ts";
import type { App } from "../http/context.ts";
import { refusal } from "../http/problem.ts";
import { stackOf } from "../stack.ts";

/** Separates the parts of an object's name. */
const NAME_SEPARATOR = ":";
/**
 * The most bytes of UTF-8 of an id. Objects do not learn names over 1,024 bytes, R2 keys have at most 1,024, and KV
 * keys 512: this leaves room for prefixes in all three.
 */
export const MAX_ID_BYTES = 256;

/** Visible ASCII without the separators, so short that it cannot be too long. */
const PLAIN = /^[!-9;-}]{1,256}$/;

/** The classes of this Worker, by binding. */
type Objects = {
  [Binding in keyof Env as Env[Binding] extends DurableObjectNamespace<infer _> ? Binding : never]: ClassOf<
    Env[Binding]
  >;
};
type ClassOf<Namespace> = Namespace extends DurableObjectNamespace<infer Class> ? Class : never;
type Namespaces = { [Binding in keyof Objects]: DurableObjectNamespace<Objects[Binding]> };

/** The name and binding of a pattern's objects: a part of its pattern.ts. */
interface Named<Binding extends keyof Objects> {
  readonly name: string;
  readonly binding: Binding;
}

/** An id and the region that it lives in. */
export interface Place {
  region: Region;
  id: string;
}

/** The place, or a sentence that says what is wrong with the id. */
export type PlaceOrFault = { place: Place } | { fault: string };

/** The place of a caller's id. Ids that Unicode treats as equal (NFC) are the same id. */
export function parseId(table: Regions, written: string): PlaceOrFault {
  // Most ids. Nothing of what is below can change or refuse one.
  if (PLAIN.test(written)) return { place: { region: homeRegion(table), id: written } };
  if (!written.isWellFormed()) return { fault: "the id is not valid Unicode" };
  const parts = written.normalize("NFC").split(REGION_SEPARATOR);
  if (parts.length > 2) return { fault: `an id has at most one "${REGION_SEPARATOR}", between region and id` };
  const [id = "", regionId = table.home] = parts.reverse();
  const region = table.regions.find((candidate) => candidate.id === regionId);
  if (!region) {
    const known = table.regions.map((candidate) => candidate.id).join(", ");
    return { fault: `there is no region "${printable(regionId)}"; there are: ${known}` };
  }
  const fault = faultOf(id);
  return fault ? { fault } : { place: { region, id } };
}

/** The id as callers write it, always with its region. */
export function formatId({ region, id }: Place): string {
  return `${region.id}${REGION_SEPARATOR}${id}`;
}

/** The name of the object at a place. */
export function objectName(table: Regions, pattern: string, { region, id }: Place): string {
  return [namePrefix(table, region), pattern, id].join(NAME_SEPARATOR);
}

/** The region nearest to callers on a continent (`request.cf.continent`); the home region if no region lists it. */
export function nearestRegion(table: Regions, continent: string | undefined): Region {
  const near = table.regions.find(({ continents }) => continents.some((claimed) => claimed === continent));
  return near ?? homeRegion(table);
}

/** The region of ids that name no region. */
export function homeRegion({ home, regions }: Regions): Region {
  const region = regions.find(({ id }) => id === home);
  if (!region) throw new Error(`The home region "${home}" is not in the region table`);
  return region;
}

/** The region for this caller's new ids. */
export function regionOfCaller(c: Context<App>): Region {
  const table = stackOf(c.env).regions;
  // Reading `cf` takes a while, because the runtime makes it of JSON.
  if (table.regions.length === 1) return homeRegion(table);
  const continent = c.req.raw.cf?.continent;
  return nearestRegion(table, typeof continent === "string" ? continent : undefined);
}

/** The place of a caller's id. Refuses (400) an invalid id. */
export function placeOf(c: Context<App>, written: string): Place {
  const parsed = parseId(stackOf(c.env).regions, written);
  if ("fault" in parsed) throw refusal("invalid-input", `id: ${parsed.fault}`);
  return parsed.place;
}

/**
 * A new stub of the object of a caller's id, or of a place. After a failed call a stub stays broken: get a new one (see
 * retry.ts). The region's location hint counts only at an object's first call; its jurisdiction is part of the object's
 * identity.
 */
export function objectFor<Binding extends keyof Objects>(
  c: Context<App>,
  { name, binding }: Named<Binding>,
  at: string | Place,
): DurableObjectStub<Objects[Binding]> {
  const place = typeof at === "string" ? placeOf(c, at) : at;
  c.set("object", { pattern: name, region: place.region.id });
  return stubAt(c.env, { name, binding }, place);
}

/** The same for code inside an object, which has no request. */
export function stubAt<Binding extends keyof Objects>(
  env: Env,
  { name, binding }: Named<Binding>,
  place: Place,
): DurableObjectStub<Objects[Binding]> {
  const namespaces: Namespaces = env;
  const { jurisdiction, locationHint } = place.region;
  const namespace = namespaces[binding];
  const within = jurisdiction ? inJurisdiction(namespace, jurisdiction) : namespace;
  return within.getByName(objectName(stackOf(env).regions, name, place), { locationHint });
}

/** The region of an object, by its name; undefined if the table has lost it. */
export function regionOfObject(table: Regions, name: string): Region | undefined {
  const [prefix] = name.split(NAME_SEPARATOR, 1);
  return table.regions.find((region) => namePrefix(table, region) === prefix);
}

/** The place of an object, by its name; undefined if the table has lost its region. */
export function placeOfObject(table: Regions, name: string): Place | undefined {
  const region = regionOfObject(table, name);
  const id = name.split(NAME_SEPARATOR).at(-1);
  return region && id ? { region, id } : undefined;
}

/** The name of the object of a caller's id. Its data in KV and R2 has the same name as key. */
export function nameOf(c: Context<App>, { name }: { readonly name: string }, id: string): string {
  return objectName(stackOf(c.env).regions, name, placeOf(c, id));
}

/**
 * The namespace, restricted to a jurisdiction. workerd on one machine has no jurisdictions; there the region's prefix
 * in the name keeps the objects apart.
 */
export function inJurisdiction<T extends Rpc.DurableObjectBranded | undefined>(
  namespace: DurableObjectNamespace<T>,
  jurisdiction: DurableObjectJurisdiction,
): DurableObjectNamespace<T> {
  try {
    return namespace.jurisdiction(jurisdiction);
  } catch (error) {
    if (error instanceof Error && error.message.includes("not implemented in workerd")) return namespace;
    throw error;
  }
}

/** Most ids: they need no tables of Unicode. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/**
 * A text without the zero-width joiners that join two emoji into one, and without what makes a character an emoji. The
 * literal stands in a function: its tables take part of a millisecond of a cold start, and are made when they are needed.
 */
const withoutJoiners = (text: string): string =>
  text.replaceAll(
    /(?<=\p{ExtPict}|\p{EMod}|\uFE0F)\u200D(?=\p{ExtPict})|(?<=\p{ExtPict})\uFE0F|\uFE0F(?=\u20E3)/gu,
    "",
  );

/** What is wrong with an id without its region; undefined if it is valid. */
function faultOf(id: string): string | undefined {
  if (id === "") return "the id is empty";
  if (id.includes(NAME_SEPARATOR)) return `the id contains "${NAME_SEPARATOR}"`;
  // Controls, unassigned and private-use characters, line and paragraph separators; and characters that cannot be seen,
  // such as zero-width characters, direction marks and fillers, with which two different ids look the same.
  if (!PRINTABLE_ASCII.test(id) && /[\p{C}\p{Zl}\p{Zp}\p{DI}\u2800]/u.test(withoutJoiners(id)))
    return "the id has a character that cannot be seen";
  if (id !== id.trim()) return "the id begins or ends with white space";
  const bytes = new TextEncoder().encode(id).byteLength;
  return bytes > MAX_ID_BYTES ? `the id has ${bytes} bytes; at most ${MAX_ID_BYTES} are allowed` : undefined;
}

/** A text for error messages: short, and without control characters. */
function printable(text: string): string {
  return text.slice(0, 32).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?");
}
