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
  /** The events that its code handles. */
  readonly handlers: readonly string[];
  /** Of the settings: what may go, by name. */
  readonly allowDrop: readonly string[];
}

/** A thing that would be lost. */
interface Lost {
  /** What `allowDrop` calls it. */
  readonly subject: string;
  readonly message: string;
  /** How to keep it: the beginning of a sentence. */
  readonly instead: string;
}

/** One finding for each thing that would be lost and that nobody has allowed, and one for the events that it handles. */
export function droppedFindings(dropping: Dropping): readonly Finding[] {
  const { fileOf, allowDrop } = dropping;
  const lost = [
    ...lostBindings(dropping),
    ...lostCrons(dropping),
    ...lostConsumers(dropping),
    ...lostLogpush(dropping),
  ];
  const refused = lost
    .filter(({ subject }) => !allowDrop.includes(subject))
    .map(
      ({ subject, message, instead }): Finding => ({
        code: "adopt_drops",
        subject,
        message,
        fix: `${instead}; or, where nobody needs it any more, add "${subject}" to allowDrop in ${fileOf("allowDrop")}.`,
      }),
    );
  return [...refused, ...handlersFinding(dropping)];
}

/** A warning: only Cloudflare sees what a release handles, and it refuses a consumer of a queue without `queue`. */
function handlersFinding({ handlers }: Dropping): readonly Finding[] {
  const others = handlers.filter((name) => name !== "fetch");
  if (others.length === 0) return [];
  return [
    {
      code: "adopt_handlers",
      subject: others.join(", "),
      message:
        "the live Worker handles these events beside requests, and the plan does not see whether the release does. Its cron triggers and queues stay with it.",
      fix: "see that worker/index.ts has a handler for each: docs/wrangler-file.md#other-events-than-requests.",
    },
  ];
}

/** Also those that would lead elsewhere. */
function lostBindings({ fileOf, worker, live, given, all }: Dropping): readonly Lost[] {
  const bindings = [...new Map(live.map((binding) => [binding.name, binding])).values()].filter((binding) =>
    isJudged(binding, { worker, all }),
  );
  return bindings.flatMap((binding) => {
    const { name, type } = binding;
    const what = wordOf(type);
    const to = targetOf(binding)?.id;
    const now = given.get(name);
    if (!now) {
      const which = to === undefined ? what : `${what} ${to}`;
      const message = `the live Worker has a ${which} under this name, and would lose it.`;
      return [{ subject: name, message, instead: wayIn(type) }];
    }
    if (to === undefined || now.includes(to)) return [];
    const message = `the live Worker has the ${what} ${to} under this name, and would get ${now[0] ?? "a new one"} instead.`;
    return [{ subject: name, message, instead: `set bind: { ${name}: ${to} } in ${fileOf("bind")}` }];
  });
}

function lostCrons({ crons: { live, given } }: Dropping): readonly Lost[] {
  const gone = given.length === 0 ? [] : live.filter((cron) => !given.includes(cron));
  return gone.map((cron) => ({
    subject: `cron ${cron}`,
    message: "the live Worker has this cron trigger, and would lose it.",
    instead: "add it to triggers.crons in wrangler.jsonc and build again",
  }));
}

const lostConsumers = ({ consumers: { live, given } }: Dropping): readonly Lost[] =>
  live
    .filter((name) => !given.includes(name))
    .map((name) => ({
      subject: `tail consumer ${name}`,
      message: "the live Worker tells this Worker of its requests, and would not any more.",
      instead: "add it to tail_consumers in wrangler.jsonc and build again",
    }));

function lostLogpush({ logpush: { live, given } }: Dropping): readonly Lost[] {
  if (!live || given !== undefined) return [];
  return [
    {
      subject: "logpush",
      message: "the live Worker's logs are pushed, and would not be any more.",
      instead: "set logpush: true in wrangler.jsonc and build again",
    },
  ];
}

const wayIn = (type: string | undefined): string =>
  SECRETS.has(type)
    ? "add it to `secrets` in infra/index.ts, with its value, which cannot be read back from Cloudflare"
    : "add it to wrangler.jsonc and build again";
