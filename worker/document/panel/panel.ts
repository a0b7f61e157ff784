/** The document's panel. The editor, with Yjs, is in later.ts, and is loaded when the visitor opens the document. */
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
  let close = () => {};

  const open = () => {
    close();
    if (later) close = later.open(panel, id, call);
  };
  key.addEventListener("click", async () => {
    key.disabled = true;
    panel.link("Loading the editor", false);
    try {
      later = await load<Later>("document");
      key.remove();
      open();
    } catch {
      key.disabled = false;
      panel.alert("The editor did not load. Are you online?");
    }
  });
  onName("document", (chosen) => {
    id = chosen;
    panel.commands(curl(`/document/${id}`), curl(`/document/${id}/versions`));
    open();
  });
  onIdentity(open);
}
