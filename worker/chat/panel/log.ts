/** The list of messages of a chat room. Messages that are sent but not stored yet are at its end. */
import { element } from "../../page/client/dom.ts";
import type { Message } from "../protocol.ts";

const MAX_ROWS = 200;
/** The list follows new messages if it is scrolled to within this many pixels of its end. */
const NEAR_END = 40;
/** Anonymous users have long names; this many characters tell them apart. */
const NAME_LENGTH = 11;
const DELETED = "(deleted)";

/** A user's name on the page. */
export const nameOf = (userId: string) => (userId.startsWith("anon-") ? userId.slice(0, NAME_LENGTH) : userId);

export class ChatLog {
  readonly #list: HTMLElement;
  readonly #window: HTMLElement;
  readonly #pending = new Map<string, { row: HTMLElement; text: string }>();

  /** `list` is in the element that scrolls it. */
  constructor(list: HTMLElement) {
    this.#list = list;
    this.#window = list.parentElement ?? list;
    // So that the keyboard can scroll it.
    this.#window.tabIndex = 0;
  }

  clear(): void {
    this.#pending.clear();
    this.#list.replaceChildren();
  }

  /** Shows a text while the list is empty. */
  blank(text: string): void {
    if (this.#list.childElementCount === 0) this.#append(element("li", "blank", text));
  }

  /** A line about the connection. */
  mark(text: string): void {
    this.#append(element("li", "mark", text));
  }

  /** Removes the text of a message. */
  deleted(seq: number): void {
    const row = [...this.#list.children].findLast(
      ({ firstElementChild }) => firstElementChild?.textContent === `${seq}`,
    );
    const text = row?.querySelector(".text");
    if (text) text.textContent = DELETED;
  }

  message({ seq, userId, text, timestamp, clientId, deleted }: Message, me: string): void {
    // Whoever the visitor was when they sent it. Nobody else knows the id before it is stored.
    if (clientId !== undefined) this.withdraw(clientId);
    const from = userId === me ? element("b", "", "you") : nameOf(userId);
    this.#append(row(String(seq), element("span", "from", from, " ", timeOf(timestamp)), deleted ? DELETED : text));
    for (const { row } of this.#pending.values()) this.#append(row);
  }

  /** Shows a message that is being sent. */
  pending(clientId: string, text: string): void {
    const waiting = row("", element("span", "from", element("b", "", "you"), " sending"), text);
    waiting.classList.add("pending");
    this.#pending.set(clientId, { row: waiting, text });
    this.#append(waiting);
    this.#window.scrollTop = this.#window.scrollHeight;
  }

  /** Says of a message that was being sent that it will not be. */
  refused(clientId: string): void {
    this.#pending.get(clientId)?.row.querySelector(".from")?.lastChild?.replaceWith(" not sent");
    this.#pending.delete(clientId);
  }

  /** Removes a message that was being sent. Returns its text. */
  withdraw(clientId: string): string | undefined {
    const waiting = this.#pending.get(clientId);
    this.#pending.delete(clientId);
    waiting?.row.remove();
    return waiting?.text;
  }

  #append(row: HTMLElement): void {
    const list = this.#list;
    const { scrollHeight, scrollTop, clientHeight } = this.#window;
    const follow = scrollHeight - scrollTop - clientHeight < NEAR_END;
    list.querySelector(".blank")?.remove();
    list.append(row);
    while (list.childElementCount > MAX_ROWS) list.firstElementChild?.remove();
    if (follow) this.#window.scrollTop = this.#window.scrollHeight;
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
