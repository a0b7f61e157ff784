/**
 * The editor of the document's panel: a text that several windows write at once, with the names and cursors of all of
 * them; a switch that cuts the connection; and the versions of the document. The client is y-websocket's, as any editor
 * would use it.
 */
import { readAuthMessage } from "y-protocols/auth";
import { messageAuth, WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import type { call as Call } from "../../page/client/api.ts";
import { element } from "../../page/client/dom.ts";
import type { Panel } from "../../page/client/panel.ts";
import { beginning } from "./anew.ts";
import { Field } from "./field.ts";
import { History } from "./history.ts";
import { peopleOf, someName } from "./people.ts";
import { shownOf } from "./shown.ts";
import { style } from "./style.ts";

/** The close code of a document that was deleted. */
const GONE = 4_410;
const CUT = "Cut the connection";
const MEND = "Reconnect";
const ANEW = "Begin it anew";
const IS_CUT = "Cut. What you write waits here; what others write waits in the document.";
const IS_DELETED = "The document was deleted, and what is shown here is stored nowhere. You may begin it anew, empty.";

/** What a panel opens. */
export interface Opening {
  /** The document's id, encoded for URLs. */
  readonly id: string;
  /** The page's, which others watch. */
  readonly call: typeof Call;
  /** What could not be sent when the document was closed: sent once there is a connection. */
  readonly unsent?: Uint8Array;
  /** What to say while all is well; may be "". */
  readonly aside: string;
  /** Whether the visitor asked for it, by a key that is gone since, and the focus with it. */
  readonly isAsked: boolean;
  /** Opens the document from the start. */
  again(): void;
}

/** Opens a document in the panel. Returns a function that closes it, and returns what could not be sent. */
export function open(panel: Panel, { id, call, unsent, aside, isAsked, again }: Opening): () => Uint8Array | undefined {
  style();
  const doc = new Y.Doc();
  const text = doc.getText("text");
  if (unsent) Y.applyUpdate(doc, unsent);
  const provider = new WebsocketProvider(new URL("/document", location.origin.replace("http", "ws")).href, id, doc, {
    // Through the object, also between windows of one browser.
    disableBc: true,
  });
  const { awareness } = provider;
  let isUnsent = unsent !== undefined;
  /** Why there is no connection, if it was neither cut here nor lost. */
  let ended: { readonly why: string; readonly isDeleted: boolean } | undefined;
  /** The text of a document that was deleted: to read and to copy. */
  let last: string | undefined;

  const people = element("p", "people");
  const field = new Field(text, awareness);
  const history = new History(id, call, {
    show: (past) => field.showPast(past ?? last),
    failed: (why) => panel.alert(why),
  });
  panel.find("desk").replaceChildren(people, field.root);

  const name = input("Your name", someName());
  const cut = button(CUT);
  const form = panel.form("form");
  form.replaceChildren(labelled(name), cut, ...history.controls);

  const show = () => {
    awareness.setLocalStateField("user", { name: name.value.trim() || "Nobody" });
  };
  const shown = () => {
    const here = peopleOf(awareness);
    const names = here.map(({ name: each, color, isMe }) => {
      const one = element(isMe ? "b" : "span", "", isMe ? "you" : each);
      if (!isMe) one.style.setProperty("color", color);
      return one;
    });
    people.replaceChildren(provider.wsconnected ? `${here.length} here` : "", ...names);
    field.mark(here);
  };
  const state = () => {
    const isCut = !provider.shouldConnect;
    const without = ended?.isDeleted ? "Deleted" : ended ? "Closed" : isCut ? "Cut" : "Reconnecting";
    panel.link(provider.wsconnected ? "Live" : without, provider.wsconnected);
    cut.textContent = ended?.isDeleted ? ANEW : isCut ? MEND : CUT;
    if (provider.wsconnected) panel.note(aside);
    else if (isCut) panel.alert(ended?.why ?? IS_CUT);
    shown();
  };
  /** The document does not let this client in any more. */
  const end = (why: string, isDeleted: boolean) => {
    ended = { why: isDeleted ? IS_DELETED : why, isDeleted };
    provider.disconnect();
    if (isDeleted) {
      last = shownOf(text);
      field.showPast(last);
      form.replaceChildren(cut);
    }
    state();
  };
  const beginAnew = async () => {
    cut.disabled = true;
    const answer = await call(`/document/${id}`, { bytes: beginning() });
    cut.disabled = false;
    if (answer.ok) again();
    else panel.alert(answer.message);
  };
  /** A browser does not say why a socket was refused; the same document over HTTP does. */
  const explain = async () => {
    if (provider.wsconnected || !provider.shouldConnect) return;
    const { status, message } = await call(`/document/${id}/versions`);
    if (status < 400 || status >= 500 || provider.wsconnected) return;
    // A document that does not exist yet may be opened.
    if (status === 404 && !message.includes("deleted")) return;
    if (status === 429) panel.alert(message);
    else end(message, status === 404);
  };

  provider.messageHandlers[messageAuth] = (_, decoder) =>
    readAuthMessage(decoder, doc, (_doc, reason) => panel.alert(reason));
  provider.on("status", state);
  provider.on("connection-error", explain);
  provider.on("closed", ({ code, reason }) => {
    end(reason || "The document has closed the connection.", code === GONE);
  });
  provider.on("sync", (isSynced) => {
    if (!isSynced) return;
    isUnsent = false;
    void history.refresh();
  });
  doc.on("update", (_, origin) => {
    if (origin !== provider) isUnsent = true;
  });
  awareness.on("change", shown);
  name.addEventListener("input", show);
  cut.addEventListener("click", () => {
    if (ended?.isDeleted) return void beginAnew();
    ended = undefined;
    if (provider.shouldConnect) provider.disconnect();
    else provider.connect();
    state();
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    if (last === undefined) void history.keep();
  };
  show();
  state();
  if (isAsked && document.activeElement === document.body) field.focus();

  return () => {
    // What is not synced may not have arrived. Nobody wants a deleted document back.
    const waits = isUnsent && !provider.synced && last === undefined;
    const left = waits ? Y.encodeStateAsUpdate(doc) : undefined;
    provider.destroy();
    field.destroy();
    doc.destroy();
    return left;
  };
}

function input(label: string, value: string): HTMLInputElement {
  const made = document.createElement("input");
  made.value = value;
  made.maxLength = 40;
  made.setAttribute("aria-label", label);
  return made;
}

function labelled(made: HTMLInputElement): HTMLElement {
  return element("label", "", made.getAttribute("aria-label") ?? "", made);
}

function button(text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}
