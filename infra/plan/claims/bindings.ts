/** The bindings of a Worker beside those of its next version: which come, which go, and how they are called. Pure. */
import type { Release } from "../../release/read.ts";
import { OF_THE_PROGRAM } from "../../release/wrangler-keys.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { extraBindings } from "../../stack/extras.ts";
import type { BindingRead } from "../account/reads.ts";
import { KINDS } from "../storage/kinds.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";

const STORAGE = Object.values(KINDS);

/** What a binding leads to, in words, by its type in Cloudflare's API. */
const WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(STORAGE.map(({ bindingType, what }) => [bindingType, what])),
  secret_text: "secret",
  secret_key: "secret",
  plain_text: "variable",
  json: "variable",
  durable_object_namespace: "class of another Worker",
  service: "Worker",
  queue: "queue",
};
/** The same of any type. */
export const wordOf = (type: string | undefined): string => WORDS[type ?? ""] ?? `binding of type ${type}`;

/** The types that wrangler.jsonc can give, so that whoever knows the release knows of them. */
const OF_WRANGLER: ReadonlySet<string | undefined> = new Set([
  ...STORAGE.map(({ bindingType }) => bindingType),
  "plain_text",
  "json",
  "durable_object_namespace",
  "service",
  "queue",
  "ratelimit",
]);

/** The bindings that infra/index.ts gives every version, whatever wrangler.jsonc says. */
const ALWAYS = [...Object.values(OF_THE_PROGRAM).flat(), "ADMIN_TOKEN", "ADMIN_TOKEN_PREVIOUS"];

/** The bindings that a Worker has and is to have. */
export interface Bindings {
  /** The Worker's name. */
  readonly worker: string;
  /** Bindings of the live versions. */
  readonly live: readonly BindingRead[];
  /** Bindings of the version that is to serve, by name, with the ids or names of their storage; none: it is new. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  /** Whether `given` has what infra/index.ts adds. Without it nothing is said of a binding that only the program gives. */
  readonly all: boolean;
}

/** Whether a binding is one to speak of: not the planner's, and one of which it is known whether it stays. */
export const isJudged = (binding: BindingRead, { worker, all }: Pick<Bindings, "worker" | "all">): boolean =>
  !isThePlanners(binding, worker) && (all || OF_WRANGLER.has(binding.type));

/** Whether the live Worker has bindings that only infra/index.ts can have given it, or something else. */
export const hasOfProgram = (live: readonly BindingRead[], worker: string): boolean =>
  live.some(
    (binding) =>
      !ALWAYS.includes(binding.name) && isJudged(binding, { worker, all: true }) && !OF_WRANGLER.has(binding.type),
  );

/** A class of the Worker's own, which the planner speaks of, or what every version has. */
const isThePlanners = ({ type, scriptName = undefined }: BindingRead, worker: string): boolean =>
  type === "version_metadata" ||
  (type === "durable_object_namespace" && [undefined, null, "", worker].some((own) => own === scriptName));

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
  { live, given, all, worker }: Bindings,
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
): Bindings["given"] {
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
