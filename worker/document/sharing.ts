/** Who may do what with one document, by its own rule. Plain logic. */
import type { Answer, Caller } from "../who.ts";

/** What somebody may do with a document. Each level includes those before it. */
export const LEVELS = ["none", "read", "comment", "write"] as const;
export type Level = (typeof LEVELS)[number];
/** The shared part that people change who may only comment. */
export const COMMENTS = "comments";
/** The most people whom one document names. */
export const MAX_PEOPLE = 1_000;

/** A document's rule. */
export interface Sharing {
  /** What every caller may do, and what every user may do. */
  readonly anyone: Level;
  readonly users: Level;
  /** The user who may do everything, and who changes this. */
  readonly owner?: string | undefined;
  /** What single users may do, whatever the levels above: also less. */
  readonly people: Readonly<Record<string, Level>>;
}

/** What the project's rules (worker/access.ts) say about a caller; `object`: the document decides. */
export interface Rulings {
  readonly read: Answer;
  readonly comment: Answer;
  readonly write: Answer;
}

/** What a caller may do, by the project's rules and the document's. */
export function levelOf(caller: Pick<Caller, "kind" | "id">, rulings: Rulings, sharing: Sharing): Level {
  const own = ownLevel(caller, sharing);
  const may = (action: keyof Rulings) => (rulings[action] === "object" ? reaches(own, action) : rulings[action]);
  if (may("write")) return "write";
  if (may("comment")) return "comment";
  return may("read") ? "read" : "none";
}

/** What a caller may do by the document's rule alone. */
function ownLevel({ kind, id }: Pick<Caller, "kind" | "id">, { anyone, users, owner, people }: Sharing): Level {
  if (kind !== "user") return anyone;
  if (id === owner) return "write";
  if (Object.hasOwn(people, id)) return people[id] ?? "none";
  return reaches(users, anyone) ? users : anyone;
}

/** Whether a level includes another. */
export const reaches = (level: Level, wanted: Level): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(wanted);

/** Whether the caller may change the rule. An undefined `caller` was already allowed elsewhere. */
export const isKeeper = (caller: Pick<Caller, "kind" | "id"> | undefined, { owner }: Sharing): boolean =>
  caller === undefined || (caller.kind === "user" && caller.id === owner);
