/** The list of messages of a chat room, with what was sent but is not in the room yet at its end. */
import { element } from "../../page/client/dom.ts";
import type { Message } from "../protocol.ts";

const MAX_ROWS = 200;
/** Pixels from the end within which the list follows what comes. */
const NEAR_END = 40;
/** Anonymous users have long names; so much tells them apart. */
const NAME_LENGTH = 11;
const DELETED = "(taken away)";

/** What a user is called on the page. */
export const nameOf = (userId: string) => (userId.startsWith("anon-") ? userId.slice(0, NAME_LENGTH) : userId);

export class ChatLog {
  readonly #list: HTMLElement;
  readonly #pending = new Map<string, { row: HTMLElement; text: string }>();

  constructor(list: HTMLElement) {
    this.#list = list;
    // Scrolled with the keyboard too.
    list.tabIndex = 0;
  }

  clear(): void {
    this.#pending.clear();
    this.#list.replaceChildren();
  }

  /** Says that there is nothing, if so. */
  blank(text: string): void {
    if (this.#list.childElementCount === 0) this.#append(element("li", "blank", text));
  }

  /** A line about the connection. */
  mark(text: string): void {
    this.#append(element("li", "mark", text));
  }

  /** Takes the text of a message away. */
  deleted(seq: number): void {
    const row = [...this.#list.children].find(({ firstElementChild }) => firstElementChild?.textContent === `${seq}`);
    const text = row?.querySelector(".text");
    if (text) text.textContent = DELETED;
  }

  message({ seq, userId, text, timestamp, clientId, deleted }: Message, me: string): void {
    if (clientId !== undefined && userId === me) this.withdraw(clientId);
    const from = userId === me ? element("b", "", "you") : nameOf(userId);
    this.#append(row(String(seq), element("span", "from", from, " ", timeOf(timestamp)), deleted ? DELETED : text));
    for (const { row } of this.#pending.values()) this.#append(row);
  }

  /** Shows what is on its way. */
  pending(clientId: string, text: string): void {
    const waiting = row("", element("span", "from", element("b", "", "you"), " sending"), text);
    waiting.classList.add("pending");
    this.#pending.set(clientId, { row: waiting, text });
    this.#append(waiting);
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** Takes back what was on its way; returns its text. */
  withdraw(clientId: string): string | undefined {
    const waiting = this.#pending.get(clientId);
    this.#pending.delete(clientId);
    waiting?.row.remove();
    return waiting?.text;
  }

  #append(row: HTMLElement): void {
    const list = this.#list;
    const follow = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
    list.querySelector(".blank")?.remove();
    list.append(row);
    while (list.childElementCount > MAX_ROWS) list.firstElementChild?.remove();
    if (follow) list.scrollTop = list.scrollHeight;
  }
}

function row(seq: string, from: HTMLElement, text: string): HTMLElement {
  return element("li", "", element("span", "", seq), from, element("span", "text", text));
}

function timeOf(timestamp: number): HTMLElement {
  const made = new Date(timestamp);
  const time = element("time", "", made.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.setAttribute("datetime", made.toISOString());
  return time;
}
