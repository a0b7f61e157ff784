/** In which file a setting stands. */
import * as v from "valibot";
import { fullKey, ownFile, type Project } from "./project.ts";

/** Whose settings they are. */
export interface Owner {
  /** The project's name (Pulumi.yaml), which is the namespace of its config keys. */
  readonly project: string;
  /** The stack's name, which is also its environment's. */
  readonly stack: string;
}
/** Files over the stack's own, by the full keys whose values stand there (project.ts). */
export type SetOver = Project["setOver"];

/** Whose settings they are, and where they stand. */
export interface Placed extends Owner {
  readonly setOver: SetOver;
}

/** The file over the stack's own in which the project's `key` is set; undefined: it is in none. */
export const overFile = ({ project, setOver }: Placed, key: string): string | undefined =>
  setOver.get(fullKey(project, key));

/** The file in which the project's `key` is set, or is to be set. */
export const fileOf = (source: Placed, key: string): string => overFile(source, key) ?? ownFile(source.stack);

/** A variable by which the program learns what does not stand in the stack's own file, which it cannot see by itself. */
const SET_OVER = "DURABLE_STACK_SET_OVER";
const Files = v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string()));

/** What tells the program so. */
export const setOverVariable = (setOver: SetOver): Readonly<Record<string, string>> => ({
  [SET_OVER]: JSON.stringify(Object.fromEntries(setOver)),
});

/** What the program was told so. */
export function toldSetOver(env: Readonly<Record<string, string | undefined>>): SetOver {
  const told = v.safeParse(Files, env[SET_OVER]);
  return new Map(told.success ? Object.entries(told.output) : []);
}
