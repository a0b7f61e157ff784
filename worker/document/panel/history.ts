/** The versions of a document: kept under a name, looked at in time, and restored. */
import * as Y from "yjs";
import type { call as Call } from "../../page/client/api.ts";
import { element } from "../../page/client/dom.ts";
import { listOf, numberOf, textOf } from "../../page/client/read.ts";
import { shownOf } from "./shown.ts";

interface Version {
  readonly number: number;
  /** Undefined where the document kept it by itself. */
  readonly name: string | undefined;
  readonly at: number;
}

interface Shows {
  /** Shows a version's text; `undefined`: the text as it is now. */
  show(past: string | undefined): void;
  failed(why: string): void;
}

export class History {
  readonly controls: readonly HTMLElement[];
  readonly #at: string;
  readonly #call: typeof Call;
  readonly #shows: Shows;
  readonly #name = document.createElement("input");
  readonly #slider = document.createElement("input");
  readonly #when = element("output", "");
  readonly #restore = document.createElement("button");
  readonly #slide: HTMLElement;
  /** The oldest first. */
  #versions: readonly Version[] = [];

  constructor(id: string, call: typeof Call, shows: Shows) {
    this.#at = `/document/${id}`;
    this.#call = call;
    this.#shows = shows;
    this.#name.maxLength = 100;
    this.#name.placeholder = "first draft";
    this.#slider.type = "range";
    this.#slider.min = "0";
    this.#slider.setAttribute("aria-label", "Versions");
    this.#slider.addEventListener("input", () => void this.#look());
    this.#restore.type = "button";
    this.#restore.textContent = "Restore this version";
    this.#restore.addEventListener("click", () => void this.#back());
    const keep = document.createElement("button");
    keep.textContent = "Keep a version";
    this.#slide = element("label", "time", this.#when, this.#slider);
    const named = element("div", "line", element("label", "grow", "Name of a version", this.#name), keep);
    this.controls = [named, this.#slide, this.#restore];
    this.#reset();
  }

  /** Reads which versions there are. */
  async refresh(): Promise<void> {
    const answer = await this.#call(`${this.#at}/versions`);
    // What was read before stays. A document that does not exist yet has none.
    if (!answer.ok && answer.status !== 404) {
      this.#reset();
      return this.#shows.failed(`The versions could not be listed: ${answer.message}`);
    }
    this.#versions = versionsOf(answer.body).reverse();
    this.#reset();
  }

  /** Keeps the document as it is now. */
  async keep(): Promise<void> {
    const json = { name: this.#name.value.trim() || new Date().toLocaleTimeString() };
    const answer = await this.#call(`${this.#at}/versions`, { json, once: true });
    if (!answer.ok) return this.#shows.failed(answer.message);
    this.#name.value = "";
    await this.refresh();
  }

  get #chosen(): Version | undefined {
    return this.#versions[Number(this.#slider.value)];
  }

  #reset(): void {
    this.#slider.max = String(this.#versions.length);
    this.#slider.value = this.#slider.max;
    this.#slide.hidden = this.#restore.hidden = this.#versions.length === 0;
    void this.#look();
  }

  async #look(): Promise<void> {
    const version = this.#chosen;
    this.#restore.disabled = version === undefined;
    const label = version ? `${version.name ?? "By itself"}, ${new Date(version.at).toLocaleString()}` : "Now";
    this.#when.textContent = label;
    this.#slider.setAttribute("aria-valuetext", label);
    if (!version) return this.#shows.show(undefined);
    const content = await this.#content(version);
    if (this.#chosen !== version) return;
    if (typeof content === "string") {
      // Back to the text as it is now.
      this.#reset();
      return this.#shows.failed(content);
    }
    const doc = new Y.Doc();
    Y.applyUpdate(doc, content);
    this.#shows.show(shownOf(doc.getText("text")));
  }

  /** What a version has, or why it cannot be read. */
  async #content({ number }: Version): Promise<Uint8Array | string> {
    try {
      const response = await fetch(`${this.#at}/versions/${number}`);
      if (!response.ok) return `The version cannot be read (${response.status}).`;
      return new Uint8Array(await response.arrayBuffer());
    } catch {
      return "The version did not load. Are you online?";
    }
  }

  async #back(): Promise<void> {
    const version = this.#chosen;
    if (!version) return;
    const answer = await this.#call(`${this.#at}/restore`, { json: { version: version.number }, once: true });
    if (!answer.ok) return this.#shows.failed(answer.message);
    // The key goes grey, and would lose the focus to nothing.
    if (document.activeElement === this.#restore) this.#slider.focus();
    await this.refresh();
  }
}

/** The versions of an answer, the newest first as they come. */
function versionsOf(body: unknown): Version[] {
  return listOf(body, "versions").flatMap((version) => {
    const number = numberOf(version, "number");
    const at = numberOf(version, "at");
    return number === undefined || at === undefined ? [] : [{ number, at, name: textOf(version, "name") }];
  });
}
