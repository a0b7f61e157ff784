/** A text field that is bound to a shared text, and shows where others are in it. */
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { element } from "../../page/client/dom.ts";
import { changeOf, moved } from "./change.ts";
import type { Person } from "./people.ts";
import { shownOf } from "./shown.ts";

export class Field {
  readonly root: HTMLElement;
  readonly #text: Y.Text;
  readonly #awareness: Awareness;
  readonly #area = document.createElement("textarea");
  readonly #marks = element("div", "marks");
  /** The text of a version, while one is shown. */
  #past: string | undefined;
  #people: readonly Person[] = [];
  /**
   * While a character is composed: the text before it, and what others have done since. The field shows that afterwards,
   * because a browser ends a composition where the field's text is set.
   */
  #composing: { readonly before: string; readonly changes: Y.YTextEvent["delta"][] } | undefined;
  readonly #observer = (event: Y.YTextEvent, { local }: Y.Transaction) => {
    if (!local && this.#past === undefined) this.#show(event);
    this.mark(this.#people);
  };
  readonly #selected = () => {
    if (document.activeElement === this.#area) this.#tell();
  };

  constructor(text: Y.Text, awareness: Awareness) {
    this.#text = text;
    this.#awareness = awareness;
    this.#area.setAttribute("aria-label", "Text");
    this.#area.rows = 8;
    this.#marks.setAttribute("aria-hidden", "true");
    this.root = element("div", "paper", this.#marks, this.#area);
    text.observe(this.#observer);
    this.#area.addEventListener("input", (event) => {
      if (!(event instanceof InputEvent && event.isComposing)) this.#take();
    });
    this.#area.addEventListener("compositionstart", () => {
      this.#composing = { before: this.#area.value, changes: [] };
    });
    this.#area.addEventListener("compositionend", () => this.#take());
    this.#area.addEventListener("scroll", () => this.#scroll());
    document.addEventListener("selectionchange", this.#selected);
  }

  /** Shows the text of a version, which cannot be changed; `undefined`: the text as it is now. */
  showPast(past: string | undefined): void {
    this.#past = past;
    this.#area.readOnly = past !== undefined;
    if (past !== undefined) this.#composing = undefined;
    if (!this.#composing) this.#area.value = past ?? shownOf(this.#text);
    this.root.toggleAttribute("data-past", past !== undefined);
    this.mark(this.#people);
  }

  /** Shows where people are. */
  mark(people: readonly Person[]): void {
    this.#people = people;
    const { value } = this.#area;
    const places = people.flatMap((person) => {
      const at = person.isMe || this.#past !== undefined ? undefined : this.#place(person.cursor);
      return at === undefined ? [] : [{ at, person }];
    });
    const parts: (string | Node)[] = [];
    let from = 0;
    for (const { at, person } of places.sort((a, b) => a.at - b.at)) {
      const mark = element("i", "", element("b", "", person.name));
      mark.style.setProperty("--mark", person.color);
      parts.push(value.slice(from, at), mark);
      from = at;
    }
    this.#marks.replaceChildren(...parts, `${value.slice(from)}\n`);
    this.#scroll();
  }

  focus(): void {
    this.#area.focus();
  }

  destroy(): void {
    this.#text.unobserve(this.#observer);
    document.removeEventListener("selectionchange", this.#selected);
  }

  /** Takes what was typed. */
  #take(): void {
    const { before, changes } = this.#composing ?? { before: shownOf(this.#text), changes: [] };
    this.#composing = undefined;
    const { at, removed, added } = changeOf(before, this.#area.value, this.#area.selectionEnd);
    const from = changes.reduce((place, change) => moved(place, change, removed > 0), at);
    const to = changes.reduce((place, change) => moved(place, change), at + removed);
    this.#text.doc?.transact(() => {
      if (to > from) this.#text.delete(from, to - from);
      if (added !== "") this.#text.insert(from, added);
    });
    if (changes.length > 0) this.#set(from + added.length, from + added.length);
    this.#tell();
  }

  /** Shows what others typed; the cursor stays where it is in the text. */
  #show({ delta }: Y.YTextEvent): void {
    if (this.#composing) return void this.#composing.changes.push(delta);
    const { selectionStart, selectionEnd } = this.#area;
    this.#set(moved(selectionStart, delta), moved(selectionEnd, delta));
  }

  #set(start: number, end: number): void {
    this.#area.value = shownOf(this.#text);
    this.#area.setSelectionRange(start, end);
  }

  #tell(): void {
    if (this.#past !== undefined) return;
    const cursor = Y.createRelativePositionFromTypeIndex(this.#text, this.#area.selectionEnd);
    this.#awareness.setLocalStateField("cursor", Y.relativePositionToJSON(cursor));
  }

  /** The index that a cursor stands for. What others show may be anything. */
  #place(cursor: unknown): number | undefined {
    if (typeof cursor !== "object" || cursor === null || !this.#text.doc) return undefined;
    try {
      const position = Y.createRelativePositionFromJSON(cursor);
      const found = Y.createAbsolutePositionFromRelativePosition(position, this.#text.doc);
      return found?.type === this.#text ? found.index : undefined;
    } catch {
      return undefined;
    }
  }

  #scroll(): void {
    this.#marks.scrollTop = this.#area.scrollTop;
  }
}
