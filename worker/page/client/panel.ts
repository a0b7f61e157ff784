/** The parts of every panel: the state of its connection, a note on the last call, and its calls as curl commands. */
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
    const title = find(this.root, "h2", HTMLElement).textContent;
    this.root.setAttribute("aria-label", title);
    this.#curl(title);
    if (matchMedia(PHONE).matches) this.#fold();
  }

  /** The panel's element with the attribute `data-<name>`. */
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

  /** Shows the state of the connection to the object. `on`: whether it is live. */
  link(text: string, on: boolean): void {
    this.#link.textContent = text;
    this.#link.toggleAttribute("data-on", on);
  }

  /** Shows what just happened. */
  note(text: string): void {
    this.#display.removeAttribute("data-alert");
    this.#note.textContent = text;
  }

  /** Shows what failed, and why. */
  alert(text: string): void {
    this.#display.setAttribute("data-alert", "");
    this.#note.textContent = text;
  }

  /** Shows the panel's calls as curl commands. */
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
    this.find("curl").append(head, element("pre", "", this.#commands));
  }
}

/** Copies the text. If the browser does not allow that, selects it. */
async function copyText(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
