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
import { Field } from "./field.ts";
import { History } from "./history.ts";
import { peopleOf, someName } from "./people.ts";
import { style } from "./style.ts";

const CUT = "Cut the connection";
const MEND = "Reconnect";

/** Opens a document in the panel. Returns a function that closes it. `call`: the page's, which others watch. */
export function open(panel: Panel, id: string, call: typeof Call): () => void {
  style();
  const doc = new Y.Doc();
  const text = doc.getText("text");
  const provider = new WebsocketProvider(new URL("/document", location.origin.replace("http", "ws")).href, id, doc, {
    // Through the object, also between windows of one browser.
    disableBc: true,
  });
  const { awareness } = provider;

  const people = element("p", "people");
  const field = new Field(text, awareness);
  const history = new History(id, call, { show: (past) => field.showPast(past), failed: (why) => panel.alert(why) });
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
    panel.link(provider.wsconnected ? "Live" : isCut ? "Cut" : "Reconnecting", provider.wsconnected);
    if (provider.wsconnected) panel.note("");
    else if (isCut) panel.alert("Cut. What you write waits here; what others write waits in the document.");
    shown();
  };
  /** A browser does not say why a socket was refused; the same document over HTTP does. */
  const explain = async () => {
    if (provider.wsconnected || !provider.shouldConnect) return;
    const { status, message } = await call(`/document/${id}/versions`);
    if (status < 400 || status >= 500 || provider.wsconnected) return;
    // A document that does not exist yet may be opened.
    if (status === 404 && !message.includes("deleted")) return;
    panel.alert(message);
    if (status !== 429) provider.disconnect();
  };

  provider.messageHandlers[messageAuth] = (_, decoder) =>
    readAuthMessage(decoder, doc, (_doc, reason) => panel.alert(reason));
  provider.on("status", state);
  provider.on("connection-error", explain);
  provider.on("closed", ({ reason }) => panel.alert(reason || "The document has closed the connection."));
  provider.on("sync", (isSynced) => {
    if (isSynced) void history.refresh();
  });
  awareness.on("change", shown);
  name.addEventListener("input", show);
  cut.addEventListener("click", () => {
    if (provider.shouldConnect) provider.disconnect();
    else provider.connect();
    cut.textContent = provider.shouldConnect ? CUT : MEND;
    state();
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    void history.keep();
  };
  show();
  state();

  return () => {
    provider.destroy();
    field.destroy();
    doc.destroy();
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
