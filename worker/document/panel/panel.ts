/**
 * The document's panel. The editor, with Yjs, is in later.ts, and is loaded when the visitor opens the document. What
 * could not be sent to a document is sent at the next time that the visitor has it open, whoever they are then.
 */
import { call } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { load } from "../../page/client/later.ts";
import { onName } from "../../page/client/names.ts";
import { Panel } from "../../page/client/panel.ts";
import { onIdentity } from "../../page/client/visitor.ts";

type Later = typeof import("./later.ts");

export function start(): void {
  const panel = new Panel("document");
  const key = panel.button("open");
  let id = "";
  let later: Later | undefined;
  let close: ReturnType<Later["open"]> = () => undefined;
  /** What waits for documents, by their ids. */
  const unsent = new Map<string, Uint8Array>();

  const leave = () => {
    const waiting = close();
    if (waiting) unsent.set(id, waiting);
  };
  const open = (isAsked = false) => {
    if (!later) return;
    const waiting = unsent.get(id);
    unsent.delete(id);
    const left = [...unsent.keys()].map((each) => `"${decodeURIComponent(each)}"`).join(", ");
    close = later.open(panel, {
      id,
      call,
      ...(waiting && { unsent: waiting }),
      aside: left && `What you wrote in ${left} waits here. Choose it again as the document's id to send it.`,
      isAsked,
      again() {
        leave();
        open(true);
      },
    });
  };
  key.addEventListener("click", async () => {
    key.disabled = true;
    panel.link("Loading the editor", false);
    try {
      later = await load<Later>("document");
      key.remove();
      open(true);
    } catch {
      key.disabled = false;
      panel.link("Not open", false);
      panel.alert("The editor did not load. Are you online?");
    }
  });
  onName("document", (chosen) => {
    leave();
    id = chosen;
    panel.commands(curl(`/document/${id}`), curl(`/document/${id}/versions`));
    open();
  });
  onIdentity(() => {
    leave();
    open();
  });
}
