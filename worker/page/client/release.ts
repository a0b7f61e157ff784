/** Shows which release is running (`GET /health`), and a banner when the Worker or the network is out of reach. */
import { call, watchAnswers } from "./api.ts";
import { find } from "./dom.ts";
import { textOf } from "./read.ts";

const FACTS = ["digest", "migration", "region", "environment"];
/** The first digits of a digest are enough to tell releases apart. */
const SHOWN_DIGITS = 12;
/** The sockets come back without a call, so the page itself asks whether the Worker answers again. */
const ASK_AGAIN_MS = 3_000;

export async function nameplate(): Promise<void> {
  const facts = find(document, "#release", HTMLElement);
  const banner = find(document, "#banner", HTMLElement);

  const reach = (message: string) => {
    // Only what is new: a screen reader reads all that is said here.
    if (banner.textContent !== message) banner.textContent = message;
  };
  let again: ReturnType<typeof setTimeout> | undefined;
  watchAnswers(({ status }) => {
    clearTimeout(again);
    if (status !== 0) return reach("");
    reach(navigator.onLine ? UNREACHED : OFFLINE);
    again = setTimeout(load, ASK_AGAIN_MS);
  });
  addEventListener("offline", () => reach(OFFLINE));
  // Whoever comes back to this window may have deployed meanwhile.
  for (const back of ["online", "focus"]) addEventListener(back, () => void load());

  const load = async () => {
    const answer = await call("/health");
    // What was shown before an outage, or a refusal, is the newest that is known.
    if (!answer.ok && !facts.hasAttribute("aria-busy")) return;
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

const OFFLINE = "This device is offline. The panels come back by themselves.";
const UNREACHED = "The Worker does not answer. Nothing that was confirmed is lost; the panels come back by themselves.";
