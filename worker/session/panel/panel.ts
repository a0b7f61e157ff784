/**
 * The session's panel: counts down to its two ends. The token is in a cookie that no script can read. The page only
 * remembers that there is one, so that it does not ask without need.
 */
import { type Answer, call } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { fill, onSubmit } from "../../page/client/dom.ts";
import { Panel } from "../../page/client/panel.ts";
import { numberOf, recordOf, textOf } from "../../page/client/read.ts";
import { allowed, identityChanged } from "../../page/client/visitor.ts";

const REMEMBERED = "session";
const DRAW_EVERY_MS = 250;
const NO_COOKIE = "The browser has not kept the session's cookie. Safari keeps it over https only.";
const NO_GUESTS = "This stack does not let guests in: its setting demoLogin is off.";
/** The sliding time is a whole number of minutes. */
const MINUTE_MS = 60_000;

/** All in milliseconds, by this device's clock. */
interface Life {
  createdAt: number;
  expiresAt: number;
  endsAt: number;
  slidingMs: number;
}

export function start(): void {
  const panel = new Panel("session");
  const user = panel.input("user");
  const keys = [panel.button("read"), panel.button("logout")] as const;
  const [readKey, logoutKey] = keys;
  const sliding = [panel.find("sliding"), panel.find("sliding-meter")] as const;
  const absolute = [panel.find("absolute"), panel.find("absolute-meter")] as const;
  const storage = allowed(() => localStorage);
  let life: Life | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  const draw = () => {
    const now = Date.now();
    clock(sliding, life && life.expiresAt - now, life?.slidingMs);
    clock(absolute, life && life.endsAt - now, life && life.endsAt - life.createdAt);
    if (!life || now < life.expiresAt) return;
    clearInterval(timer);
    panel.link("Time is up", false);
    // The page cannot know: every call and every socket with the session reads it.
    panel.alert("The session is over, unless something else has read it. Read it to see.");
  };

  const show = (next: Life | undefined) => {
    life = next;
    // A key that goes grey loses the focus to nothing.
    if (!life && keys.some((key) => key === document.activeElement)) user.focus();
    for (const key of keys) key.disabled = !life;
    clearInterval(timer);
    if (life) {
      timer = setInterval(draw, DRAW_EVERY_MS);
      storage?.setItem(REMEMBERED, "yes");
    } else {
      storage?.removeItem(REMEMBERED);
      panel.link("Logged out", false);
    }
    draw();
  };

  /** Shows the answer to a read. */
  const learn = (answer: Answer) => {
    if (answer.ok) {
      const session = recordOf(answer.body, "session");
      show(lifeOf(session, numberOf(answer.body, "expiresIn") ?? 0));
      panel.link(`Logged in as ${textOf(session, "userId")}, ${textOf(session, "role")}`, true);
      return;
    }
    if (answer.status !== 404 && answer.status !== 401) return panel.alert(answer.message);
    show(undefined);
    panel.alert("The session is gone.");
  };

  onSubmit(panel.form("form"), async () => {
    // Never with the admin token: by it, the session would be a user's, under the name that is given here.
    const answer = await call("/session", { json: { userId: user.value, cookie: true } });
    if (!answer.ok) return panel.alert(answer.status === 401 ? NO_GUESTS : answer.message);
    const session = await call("/session");
    if (session.status === 401) return panel.alert(NO_COOKIE);
    panel.note("");
    learn(session);
    identityChanged();
  });
  readKey.addEventListener("click", async () => {
    const before = life?.expiresAt ?? 0;
    const answer = await call("/session");
    if (answer.ok) panel.note("");
    learn(answer);
    if (!answer.ok) return;
    const movedMs = (life?.expiresAt ?? 0) - before;
    // Two answers about the same end differ by the time that they took to arrive.
    if (movedMs > 2_000) panel.note(`Read. The end moved out by ${clockTime(movedMs)}.`);
    else panel.note("Read. The end stays until it can move by a whole step.");
  });
  logoutKey.addEventListener("click", async () => {
    const answer = await call("/session", { method: "DELETE" });
    if (!answer.ok) return panel.alert(answer.message);
    show(undefined);
    panel.note("Logged out. Nothing of the session is stored any more.");
    identityChanged();
  });

  const commands = () => {
    panel.commands(
      `TOKEN=$(${curl("/session", { json: { userId: user.value } }).replace("curl", "curl -s")} | sed 's/.*"token":"//;s/".*//')`,
      curl("/session", { bearer: "$TOKEN" }),
      curl("/session", { method: "DELETE", bearer: "$TOKEN" }),
    );
  };
  user.addEventListener("input", commands);
  commands();
  draw();
  if (storage?.getItem(REMEMBERED)) void call("/session").then(learn);
}

function lifeOf(session: Record<string, unknown>, expiresInMs: number): Life {
  const expiresAt = numberOf(session, "expiresAt") ?? 0;
  const ahead = Date.now() + expiresInMs - expiresAt;
  return {
    createdAt: (numberOf(session, "createdAt") ?? 0) + ahead,
    expiresAt: expiresAt + ahead,
    endsAt: (numberOf(session, "endsAt") ?? 0) + ahead,
    slidingMs: Math.ceil(expiresInMs / MINUTE_MS) * MINUTE_MS,
  };
}

/** Shows the time that is left, and its share of the whole. */
function clock([figure, meter]: readonly [HTMLElement, HTMLElement], leftMs = 0, allMs = 0): void {
  figure.textContent = allMs > 0 ? clockTime(Math.max(leftMs, 0)) : "–";
  fill(meter, allMs > 0 ? leftMs / allMs : 0);
}

/** A time as 1:02:03, or 2:03. */
function clockTime(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? `${part}` : `${part}`.padStart(2, "0"))).join(":");
}
