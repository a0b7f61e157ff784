/**
 * The rate limiter's panel: this address's bucket. Every answer to any panel says how much is left. Between answers the
 * refill is computed here, with the limiter's own arithmetic, so that watching costs nothing.
 */

import { type Bucket, type Policy, refill } from "../../objects/bucket.ts";
import { type Answer, call, waitOf, watchAnswers } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { element, fill, grouped, onReturn, onSubmit } from "../../page/client/dom.ts";
import { Panel } from "../../page/client/panel.ts";

const POLICY = "default";
/** What an answer says of it. */
const SAID = /^"default";q=(\d+);w=(\d+)/;
const HEADERS = ["RateLimit", "RateLimit-Policy", "Retry-After"];
/** More cells than this are too thin to see, so each cell then means several tokens. */
const MAX_CELLS = 100;
/** Draining takes about this many calls. */
const DRAIN_STEPS = 20;
const DRAW_EVERY_MS = 100;

const counted = (tokens: number) => `${tokens} token${tokens === 1 ? "" : "s"}`;

export function start(): void {
  const panel = new Panel("limit");
  const tokens = panel.find("tokens");
  const capacity = panel.find("capacity");
  const meter = panel.find("meter");
  const headers = panel.find("headers");
  let policy: Policy | undefined;
  let bucket: Bucket = { units: 0, at: 0 };
  /** The last refused call, and when it would pass. */
  let refused: { cost: number; until: number } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Whether the note says that no answer came. */
  let isUnanswered = false;
  const failed = ({ status, message }: Answer) => {
    isUnanswered = status === 0;
    panel.alert(message);
  };

  /** The policy of an answer, if it is about the bucket that is shown. */
  const policyOf = ({ headers }: Answer): Policy | undefined => {
    const said = SAID.exec(headers.get("RateLimit-Policy") ?? "");
    return said ? { capacity: Number(said[1]), periodSeconds: Number(said[2]) } : undefined;
  };

  const learn = (answer: Answer) => {
    if (isUnanswered && answer.status !== 0) {
      isUnanswered = false;
      panel.note("");
      void look();
    }
    const said = policyOf(answer);
    if (!said) return;
    policy = said;
    const remaining = Number(answer.headers.get("X-RateLimit-Remaining"));
    bucket = { units: remaining * policy.periodSeconds * 1_000, at: Date.now() };
    meter.style.setProperty("--cells", String(Math.min(policy.capacity, MAX_CELLS)));
    capacity.textContent = `of ${grouped(policy.capacity)} tokens`;
    panel.link(`Refills ${grouped(policy.capacity)} in ${grouped(policy.periodSeconds)} s`, true);
    draw();
  };

  const draw = () => {
    clearTimeout(timer);
    if (!policy) return;
    const now = Date.now();
    bucket = refill(bucket, policy, now);
    const level = Math.max(bucket.units / (policy.periodSeconds * 1_000), 0);
    tokens.textContent = grouped(Math.floor(level));
    fill(meter, level / policy.capacity);
    if (refused && now >= refused.until) {
      panel.note(`A call of ${counted(refused.cost)} passes again.`);
      refused = undefined;
    }
    // A timer, because animation frames stop in a hidden window, and ten updates a second are enough.
    if (level < policy.capacity || refused) timer = setTimeout(draw, DRAW_EVERY_MS);
  };

  const show = (answer: Answer) => {
    headers.replaceChildren(
      ...HEADERS.flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [element("dt", "", name), element("dd", "", value)];
      }),
    );
  };

  /** Takes tokens. False if there were too few. */
  const take = async (cost: number): Promise<boolean> => {
    const answer = await call("/limit/check", { json: { policy: POLICY, cost } });
    show(answer);
    const wait = waitOf(answer);
    const said = policyOf(answer);
    if (answer.ok) {
      refused = undefined;
      panel.note(`200. Took ${counted(cost)}.`);
    } else if (answer.status === 429 && said && wait) {
      const now = Date.now();
      refused = { cost, until: now + wait };
      // An evicted bucket comes back owing tokens, so its wait says more than its tokens left.
      const units = cost * said.periodSeconds * 1_000 - wait * said.capacity;
      bucket = { units: Math.min(bucket.units, units), at: now };
      draw();
      // Once, and not each second: a screen reader reads all that is said here.
      panel.alert(`429. A call of ${counted(cost)} passes in ${wait / 1_000} s.`);
    } else failed(answer);
    return answer.ok;
  };

  const drain = async () => {
    const cost = Math.ceil((policy?.capacity ?? 0) / DRAIN_STEPS);
    // The bucket refills meanwhile, so this ends after twice the steps, even if answers are slow.
    for (let step = 0; cost > 0 && step < 2 * DRAIN_STEPS; step++) if (!(await take(cost))) return;
  };

  watchAnswers(learn);
  panel.commands(curl("/limit").replace("curl", "curl -i"), curl("/limit/check", { json: { cost: 10 } }));

  onSubmit(panel.form("form"), (value) => void (value === "drain" ? drain() : take(Number(value) || 1)));

  /** Asks for the bucket's tokens. Looking is free, and shows what other windows have taken. */
  const look = async () => {
    const answer = await call("/limit");
    if (answer.ok) show(answer);
    else failed(answer);
  };
  void look();
  onReturn(look);
}
