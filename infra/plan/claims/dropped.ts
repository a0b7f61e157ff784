/**
 * What a Worker that is taken over has and would lose: its live bindings, secrets, cron triggers, tail consumers and
 * Logpush beside those that the release and the stack give it. Pure. Its objects are the planner's; its domains and routes stay as they are.
 */
import type { Release } from "../../release/read.ts";
import { OF_THE_PROGRAM } from "../../release/wrangler-keys.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { extraBindings } from "../../stack/extras.ts";
import type { BindingRead } from "../account/reads.ts";
import type { Finding } from "../rules/codes.ts";
import { targetOf } from "../storage/kinds.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";

/** What a binding leads to, in words, by its type in Cloudflare's API. */
const WORDS: Readonly<Record<string, string>> = {
  kv_namespace: "KV namespace",
  r2_bucket: "bucket",
  d1: "D1 database",
  secret_text: "secret",
  secret_key: "secret",
  plain_text: "variable",
  json: "variable",
  durable_object_namespace: "class of another Worker",
  service: "Worker",
  queue: "queue",
};
const wordOf = (type: string | undefined): string => WORDS[type ?? ""] ?? `binding of type ${type}`;
const SECRETS: ReadonlySet<string | undefined> = new Set(["secret_text", "secret_key"]);
/** The types that wrangler.jsonc can give, so that whoever knows the release knows of them. */
const OF_WRANGLER: ReadonlySet<string | undefined> = new Set([
  "kv_namespace",
  "r2_bucket",
  "d1",
  "plain_text",
  "json",
  "durable_object_namespace",
  "service",
  "queue",
  "ratelimit",
]);

export interface Dropping {
  /** The file in which a setting of the stack stands, or is to be set. */
  readonly fileOf: (key: "allowDrop" | "bind") => string;
  /** The Worker's name. */
  readonly worker: string;
  /** Bindings of the live versions. */
  readonly live: readonly BindingRead[];
  /** Bindings of the version that is to serve, by name, with the ids or names of their storage; none: it is new. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  /** Whether `given` has what infra/index.ts adds. Without it nothing is said of a binding that only the program gives. */
  readonly all: boolean;
  /** Cron triggers. A release without any leaves those that are there. */
  readonly crons: { readonly live: readonly string[]; readonly given: readonly string[] };
  /** Workers that are told of its requests. The update after the adoption sets them, to none where the release has none. */
  readonly consumers: { readonly live: readonly string[]; readonly given: readonly string[] };
  /** Whether its logs are pushed. That update turns it off where the release does not say; undefined: it does not. */
  readonly logpush: { readonly live: boolean; readonly given: boolean | undefined };
  /** Of the settings: what may go, by name. */
  readonly allowDrop: readonly string[];
}

/** Whether a binding is one to speak of: not the planner's, and one of which it is known whether it stays. */
const isJudged = (binding: BindingRead, { worker, all }: Pick<Dropping, "worker" | "all">): boolean =>
  !isThePlanners(binding, worker) && (all || OF_WRANGLER.has(binding.type));

/** Whether the live Worker has bindings that only infra/index.ts can have given it, or something else. */
export const hasOfProgram = (live: readonly BindingRead[], worker: string): boolean =>
  live.some(
    (binding) =>
      !ALWAYS.includes(binding.name) && isJudged(binding, { worker, all: true }) && !OF_WRANGLER.has(binding.type),
  );

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

/** A class of the Worker's own, which the planner speaks of, or what every version has. */
const isThePlanners = ({ type, scriptName = undefined }: BindingRead, worker: string): boolean =>
  type === "version_metadata" ||
  (type === "durable_object_namespace" && [undefined, null, "", worker].some((own) => own === scriptName));

const wayIn = (type: string | undefined): string =>
  SECRETS.has(type)
    ? "add it to `secrets` in infra/index.ts, with its value, which cannot be read back from Cloudflare"
    : "add it to wrangler.jsonc and build again";

/** The bindings that infra/index.ts gives every version, whatever wrangler.jsonc says. */
const ALWAYS = [...Object.values(OF_THE_PROGRAM).flat(), "ADMIN_TOKEN", "ADMIN_TOKEN_PREVIOUS"];

/** A binding that the next version has and the live one has not, or the other way. */
export interface BindingChange {
  readonly name: string;
  readonly kind: "added" | "removed";
  /** What one that is removed leads to, in words. */
  readonly what?: string;
  /** What becomes of that, in words, where it goes with it. */
  readonly loss?: string;
}

/** How the bindings change that a project adds to those of the program and of its own classes (`own`); by name. */
export function bindingChanges(
  { live, given, all, worker }: Pick<Dropping, "live" | "given" | "all" | "worker">,
  own: readonly string[],
): readonly BindingChange[] {
  const before = new Map(live.map((binding) => [binding.name, binding]));
  const others = [...given.keys()].filter((name) => !ALWAYS.includes(name) && !own.includes(name));
  const added = others.filter((name) => !before.has(name));
  const removed = [...before.values()].filter(
    (binding) => !given.has(binding.name) && !ALWAYS.includes(binding.name) && isJudged(binding, { worker, all }),
  );
  return [
    ...added.sort().map((name) => ({ name, kind: "added" as const })),
    ...removed.map(({ name, type }) => ({ name, kind: "removed" as const, what: wordOf(type) })),
  ];
}

/**
 * The bindings of a version of this stack, by name, with what their storage is called where it is there already.
 * `program`: the names that infra/index.ts adds.
 */
export function givenBindings(
  release: Release,
  settings: PublicSettings,
  claims: Claims,
  program: readonly string[] = [],
): Dropping["given"] {
  const claimed = ({ name, importId }: Claim) => [name, ...(importId === undefined ? [] : importId.split("/"))];
  return new Map<string, readonly string[]>([
    ...[...ALWAYS, ...program, ...release.bindings.map(({ binding }) => binding)].map((name) => [name, []] as const),
    ["READS", claimed(claims.reads)],
    ["BLOBS", claimed(claims.blobs)],
    ...claims.storage.map((one) => [one.binding, claimed(one)] as const),
    ...extraBindings(release, settings).map(
      (binding) =>
        [String(binding.name), [binding.namespaceId, binding.bucketName, binding.id].flatMap(textOf)] as const,
    ),
  ]);
}

const textOf = (value: unknown): readonly string[] => (typeof value === "string" ? [value] : []);
