/** The panel of the sample pattern: the text as it is stored, and another one in its place. */
import { type Answer, call } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { onReturn, onSubmit } from "../../page/client/dom.ts";
import { onName } from "../../page/client/names.ts";
import { Panel } from "../../page/client/panel.ts";
import { numberOf, textOf } from "../../page/client/read.ts";

export function start(): void {
  const panel = new Panel("sample-pattern");
  const output = panel.find("text");
  const input = panel.input("input");
  let id = "";
  const at = () => `/sample-pattern/${id}`;

  /** Shows an answer, unless another object was chosen in the meantime. */
  const ask = async (json?: object) => {
    const asked = at();
    const answer: Answer = await call(asked, json ? { json } : {});
    if (asked !== at()) return;
    panel.link(answer.ok ? "Read" : "No answer", answer.ok);
    if (!answer.ok) return panel.alert(answer.message);
    output.textContent = textOf(answer.body, "text") || "–";
    panel.note(`Set ${numberOf(answer.body, "revision") ?? 0} times`);
  };

  const commands = () => panel.commands(curl(at(), { json: { text: input.value } }), curl(at()));

  onName("sample-pattern", (chosen) => {
    id = chosen;
    output.textContent = "–";
    commands();
    void ask();
  });
  onReturn(() => void ask());
  input.addEventListener("input", commands);
  onSubmit(panel.form("form"), () => void ask({ text: input.value }));
}
