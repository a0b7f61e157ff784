/** The counter's panel: shows the count that the object pushes, and steps it up and down. */
import { call } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { grouped, onSubmit } from "../../page/client/dom.ts";
import { live } from "../../page/client/live.ts";
import { onName } from "../../page/client/names.ts";
import { Panel } from "../../page/client/panel.ts";
import { numberOf } from "../../page/client/read.ts";

/** Digits that fit the display in its large size. */
const LARGE_DIGITS = 6;

export function start(): void {
  const panel = new Panel("counter");
  const figure = panel.find("figure");
  const output = panel.find("count");
  const step = panel.input("step");
  let id = "";
  let leave = () => {};
  const at = (action: string) => `/counter/${action}?id=${id}`;

  const show = (count: number | undefined) => {
    output.textContent = count === undefined ? "–" : grouped(count);
    figure.classList.toggle("long", String(count ?? 0).length > LARGE_DIGITS);
  };

  const commands = () => {
    panel.commands(curl(at("increment"), { json: { by: step.valueAsNumber || 1 } }), curl(at("value")));
  };

  onName("counter", (chosen) => {
    leave();
    id = chosen;
    show(undefined);
    panel.note("");
    panel.link("Connecting", false);
    commands();
    leave = live(at("live"), at("value"), {
      state(isLive, reason) {
        panel.link(isLive ? "Live" : "Reconnecting", isLive);
        if (reason) panel.alert(reason);
        else if (isLive) panel.note("");
      },
      frame: (data) => show(numberOf(data, "count")),
    });
  });

  step.addEventListener("input", commands);
  onSubmit(panel.form("form"), async (action) => {
    const by = step.valueAsNumber;
    const answer = await call(at(action || "increment"), {
      json: { by },
      once: true,
    });
    if (!answer.ok) return panel.alert(answer.message);
    // The count itself comes over the socket, where it is sure to be the newest.
    const sign = action === "decrement" ? "−" : "+";
    panel.note(`${sign}${grouped(by)}, on disk after ${Math.max(Math.round(answer.ms), 1)} ms`);
  });
}
