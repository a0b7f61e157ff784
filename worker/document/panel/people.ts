/** Who has the document open, and where they are in it. */
import type { Awareness } from "y-protocols/awareness";
import { textOf } from "../../page/client/read.ts";

/** Colors that can be read on the display. */
const COLORS = ["#4fd18b", "#6cc4ff", "#ff9d6c", "#d99bff", "#ff8fb1", "#9be15d"];
const NAMES = ["Ada", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gina", "Hugo"];

export interface Person {
  readonly client: number;
  readonly name: string;
  readonly color: string;
  readonly isMe: boolean;
  /** The relative position of the cursor, as Yjs makes it. */
  readonly cursor: unknown;
}

export const someName = (): string => NAMES[Math.floor(Math.random() * NAMES.length)] ?? "Ada";

/** The people who are here. What others show is not trusted: a name may be anything, also what no text can be made of. */
export function peopleOf(awareness: Awareness): Person[] {
  return [...awareness.getStates()].flatMap(([client, { user, cursor }]) => {
    const name = textOf(user, "name");
    if (name === undefined) return [];
    const color = COLORS[client % COLORS.length] ?? "";
    return [{ client, name: name.slice(0, 40), color, isMe: client === awareness.clientID, cursor }];
  });
}
