/**
 * What a Worker that is taken over has and would lose: its live bindings, secrets, cron triggers, tail consumers and
 * Logpush beside those that the release and the stack give it. Pure. Its objects are the planner's; its domains and routes stay as they are.
 */
import type { Finding } from "../rules/codes.ts";
import { targetOf } from "../storage/kinds.ts";
import { type Bindings, isJudged, wordOf } from "./bindings.ts";

const SECRETS: ReadonlySet<string | undefined> = new Set(["secret_text", "secret_key"]);

export interface Dropping extends Bindings {
  /** The file in which a setting of the stack stands, or is to be set. */
  readonly fileOf: (key: "allowDrop" | "bind") => string;
  /** Cron triggers. A release without any leaves those that are there. */
  readonly crons: { readonly live: readonly string[]; readonly given: readonly string[] };
  /** Workers that are told of its requests. The update after the adoption sets them, to none where the release has none. */
  readonly consumers: { readonly live: readonly string[]; readonly given: readonly string[] };
  /** Whether its logs are pushed. That update turns it off where the release does not say; undefined: it does not. */
  readonly logpush: { readonly live: boolean; readonly given: boolean | undefined };
  /** Of the settings: what may go, by name. */
  readonly allowDrop: readonly string[];
}

/** One finding for each thing that would be lost and that nobody has allowed. */
export function droppedFindings(dropping: Dropping): readonly Finding[] {
  const { fileOf, worker, live, given, all, crons, consumers, logpush, allowDrop } = dropping;
  const finding = (subject: string, message: string, instead: string): Finding => ({
    code: "adopt_drops",
    subject,
    message,
    fix: `${instead}; or, where nobody needs it any more, add "${subject}" to allowDrop in ${fileOf("allowDrop")}.`,
  });
  const bindings = [...new Map(live.map((binding) => [binding.name, binding])).values()].filter((binding) =>
    isJudged(binding, { worker, all }),
  );
  const lost = bindings.flatMap((binding) => {
    const { name, type } = binding;
    const what = wordOf(type);
    const to = targetOf(binding)?.id;
    const now = given.get(name);
    if (!now) {
      const which = to === undefined ? what : `${what} ${to}`;
      return [finding(name, `the live Worker has a ${which} under this name, and would lose it.`, wayIn(type))];
    }
    if (to === undefined || now.includes(to)) return [];
    const message = `the live Worker has the ${what} ${to} under this name, and would get ${now[0] ?? "a new one"} instead.`;
    return [finding(name, message, `set bind: { ${name}: ${to} } in ${fileOf("bind")}`)];
  });
  const gone = crons.given.length === 0 ? [] : crons.live.filter((cron) => !crons.given.includes(cron));
  const schedules = gone.map((cron) =>
    finding(
      `cron ${cron}`,
      "the live Worker has this cron trigger, and would lose it.",
      "add it to triggers.crons in wrangler.jsonc and build again",
    ),
  );
  const untold = consumers.live
    .filter((name) => !consumers.given.includes(name))
    .map((name) =>
      finding(
        `tail consumer ${name}`,
        "the live Worker tells this Worker of its requests, and would not any more.",
        "add it to tail_consumers in wrangler.jsonc and build again",
      ),
    );
  const unpushed =
    logpush.live && logpush.given === undefined
      ? [
          finding(
            "logpush",
            "the live Worker's logs are pushed, and would not be any more.",
            "set logpush: true in wrangler.jsonc and build again",
          ),
        ]
      : [];
  return [...lost, ...schedules, ...untold, ...unpushed].filter(({ subject }) => !allowDrop.includes(subject));
}

const wayIn = (type: string | undefined): string =>
  SECRETS.has(type)
    ? "add it to `secrets` in infra/index.ts, with its value, which cannot be read back from Cloudflare"
    : "add it to wrangler.jsonc and build again";
