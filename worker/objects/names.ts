/**
 * Names of objects: `<environment prefix><region prefix>:<pattern>:<id>`.
 *
 * The same caller's id always means the same object: `eu~lobby` is in the region `eu`, and a bare `lobby` is in
 * the home region wherever it is asked for. An id that could be mistaken for another, or that cannot be a name,
 * is refused before any object is touched. Everything but `objectFor` is plain arithmetic.
 */
import type { Context } from "hono";
import { namePrefix, type Region, type Regions } from "../../contract/regions.ts";
import type { App } from "../http/context.ts";
import { refusal } from "../http/problem.ts";
import { stackOf } from "../stack.ts";

/** Between region and id in what callers write. */
const REGION_SEPARATOR = "~";
/** Between the parts of an object's name. */
const NAME_SEPARATOR = ":";
/**
 * Bytes of UTF-8. Objects do not learn names over 1,024 bytes, R2 keys end there too, and KV keys at 512:
 * this leaves room for prefixes in all three.
 */
export const MAX_ID_BYTES = 256;

/** The classes of this Worker, by binding. */
type Objects = {
  [Binding in keyof Env as Env[Binding] extends DurableObjectNamespace<infer _> ? Binding : never]: ClassOf<
    Env[Binding]
  >;
};
type ClassOf<Namespace> = Namespace extends DurableObjectNamespace<infer Class> ? Class : never;
type Namespaces = { [Binding in keyof Objects]: DurableObjectNamespace<Objects[Binding]> };

/** What a pattern's objects are called and where they are: a part of its pattern.ts. */
interface Named<Binding extends keyof Objects> {
  readonly name: string;
  readonly binding: Binding;
}

/** An id and the region that it lives in. */
export interface Place {
  region: Region;
  id: string;
}

/** The place, or a sentence that says why there is none. */
export type PlaceOrFault = { place: Place } | { fault: string };

/** Where the object of a caller's id lives. Ids that look alike by Unicode (NFC) are the same id. */
export function parseId(table: Regions, written: string): PlaceOrFault {
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

/** The region nearest to callers on a continent (`request.cf.continent`); the home region where none claims it. */
export function nearestRegion(table: Regions, continent: string | undefined): Region {
  const near = table.regions.find(({ continents }) => continents.some((claimed) => claimed === continent));
  return near ?? homeRegion(table);
}

/** The region of ids that name none. */
export function homeRegion({ home, regions }: Regions): Region {
  const region = regions.find(({ id }) => id === home);
  if (!region) throw new Error(`The home region "${home}" is not in the region table`);
  return region;
}

/** The region in which this caller's new ids belong. */
export function regionOfCaller(c: Context<App>): Region {
  const continent = c.req.raw.cf?.continent;
  return nearestRegion(stackOf(c.env).regions, typeof continent === "string" ? continent : undefined);
}

/** The place of a caller's id; refuses (400) what cannot be one. */
export function placeOf(c: Context<App>, written: string): Place {
  const parsed = parseId(stackOf(c.env).regions, written);
  if ("fault" in parsed) throw refusal("invalid-input", `id: ${parsed.fault}`);
  return parsed.place;
}

/**
 * A new stub of the object that a caller's id, or a place, means. After a failed call a stub stays broken: ask for
 * another (see retry.ts). The region's location hint counts for an object's first caller only; its jurisdiction is
 * part of the object's identity.
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

/** The same from inside an object, which has no request. */
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

/** The region that an object lives in, by its name; undefined where the table has none such any more. */
export function regionOfObject(table: Regions, name: string): Region | undefined {
  const [prefix] = name.split(NAME_SEPARATOR, 1);
  return table.regions.find((region) => namePrefix(table, region) === prefix);
}

/** The name of the object that a caller's id means: also the key of what is kept of it in KV and R2. */
export function nameOf(c: Context<App>, { name }: { readonly name: string }, id: string): string {
  return objectName(stackOf(c.env).regions, name, placeOf(c, id));
}

/**
 * The namespace, held to a jurisdiction. workerd by itself knows no jurisdictions: on one machine there is nothing to
 * hold apart, and the region's prefix in the name keeps its objects distinct all the same.
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

/** What joins two emoji into one, where it does. */
const JOINED_EMOJI = /(?<=\p{Extended_Pictographic}|\p{EMod}|\uFE0F)\u200D(?=\p{Extended_Pictographic})/gu;

/** Why a bare id cannot be one, or undefined. */
function faultOf(id: string): string | undefined {
  if (id === "") return "the id is empty";
  if (id.includes(NAME_SEPARATOR)) return `the id contains "${NAME_SEPARATOR}"`;
  // Controls, unassigned and private-use characters, line and paragraph separators; and what has no shape, such as zero
  // widths and marks of direction, by which two different ids look the same.
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(id.replaceAll(JOINED_EMOJI, ""))) return "the id has a character that cannot be seen";
  if (id !== id.trim()) return "the id begins or ends with white space";
  const bytes = new TextEncoder().encode(id).byteLength;
  return bytes > MAX_ID_BYTES ? `the id has ${bytes} bytes; at most ${MAX_ID_BYTES} are allowed` : undefined;
}

/** For error messages: short, and without anything that a terminal or a log could act on. */
function printable(text: string): string {
  return text.slice(0, 32).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?");
}
