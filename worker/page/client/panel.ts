/** What every panel has: the state of its link, a note on what just happened, and the same calls by curl. */
import { element, find } from "./dom.ts";

const COPIED_FOR_MS = 2_000;
const PHONE = "(max-width: 40rem)";

export class Panel {
  readonly root: HTMLElement;
  readonly #display: HTMLElement;
  readonly #link: HTMLElement;
  readonly #note: HTMLElement;
  readonly #commands = element("code", "");

  constructor(id: string) {
    this.root = find(document, `#${id}`, HTMLElement);
    this.#display = this.find("display");
    this.#link = this.find("link");
    this.#note = this.find("note");
    this.#curl(find(this.root, "h2", HTMLElement).textContent);
    if (matchMedia(PHONE).matches) this.#fold();
  }

  /** The part that index.html calls `data-<name>`. */
  find(name: string): HTMLElement {
    return this.#part(name, HTMLElement);
  }

  input(name: string): HTMLInputElement {
    return this.#part(name, HTMLInputElement);
  }

  button(name: string): HTMLButtonElement {
    return this.#part(name, HTMLButtonElement);
  }

  form(name: string): HTMLFormElement {
    return this.#part(name, HTMLFormElement);
  }

  /** Says how the panel stands to its object; `on` while it hears from it. */
  link(text: string, on: boolean): void {
    this.#link.textContent = text;
    this.#link.toggleAttribute("data-on", on);
  }

  /** Says what just happened. */
  note(text: string): void {
    this.#display.removeAttribute("data-alert");
    this.#note.textContent = text;
  }

  /** Says what was refused, or is out of reach, and why. */
  alert(text: string): void {
    this.#display.setAttribute("data-alert", "");
    this.#note.textContent = text;
  }

  /** Shows the panel's calls as commands. */
  commands(...lines: string[]): void {
    this.#commands.textContent = lines.join("\n\n");
  }

  #part<T extends Element>(name: string, type: abstract new () => T): T {
    return find(this.root, `[data-${name}]`, type);
  }

  /** Makes the heading open and close the panel; all but the first begin closed. */
  #fold(): void {
    const heading = find(this.root, "h2", HTMLElement);
    const key = element("button", "fold", heading.textContent);
    key.setAttribute("type", "button");
    const set = (open: boolean) => {
      this.root.classList.toggle("folded", !open);
      key.setAttribute("aria-expanded", String(open));
    };
    key.addEventListener("click", () => set(this.root.classList.contains("folded")));
    heading.replaceChildren(key);
    set(this.root.previousElementSibling === null);
  }

  #curl(title: string): void {
    const copy = element("button", "", "Copy");
    copy.setAttribute("type", "button");
    copy.setAttribute("aria-label", `Copy the curl commands: ${title}`);
    const said = element("span", "");
    said.setAttribute("role", "status");
    copy.addEventListener("click", async () => {
      said.textContent = (await copyText(this.#commands)) ? "Copied" : "Selected: copy with your keyboard";
      setTimeout(() => said.replaceChildren(), COPIED_FOR_MS);
    });
    const head = element("div", "", element("span", "", "The same by curl"), said, copy);
    const commands = element("pre", "", this.#commands);
    // Long lines are scrolled, with the keyboard too.
    commands.tabIndex = 0;
    this.find("curl").append(head, commands);
  }
}

/** Copies the text, or selects it where the browser does not let a page copy. */
async function copyText(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
