/** Shows which release is running (`GET /health`), and a banner when the Worker or the network is out of reach. */
import { call, watchAnswers } from "./api.ts";
import { find } from "./dom.ts";
import { textOf } from "./read.ts";

const FACTS = ["digest", "migration", "region", "environment"];
/** The first digits of a digest are enough to tell releases apart. */
const SHOWN_DIGITS = 12;

export async function nameplate(): Promise<void> {
  const facts = find(document, "#release", HTMLElement);
  const banner = find(document, "#banner", HTMLElement);

  const reach = (message: string) => {
    banner.textContent = message;
    banner.hidden = message === "";
  };
  watchAnswers(({ status }) => reach(status === 0 ? UNREACHED : ""));
  addEventListener("offline", () => reach("This device is offline. The panels come back by themselves."));
  addEventListener("online", () => void load());

  const load = async () => {
    const answer = await call("/health");
    for (const name of FACTS) {
      const value = textOf(answer.body, name);
      const shown = find(facts, `#${name}`, HTMLElement);
      shown.textContent = (name === "digest" ? value?.slice(0, SHOWN_DIGITS) : value) ?? "unknown";
      if (value) shown.title = value;
    }
    facts.removeAttribute("aria-busy");
  };
  await load();
}

const UNREACHED = "The Worker does not answer. Nothing that was confirmed is lost; the panels come back by themselves.";
