/** What something else than this program did to a Worker's traffic and bindings: pure comparisons, all warnings. */
import { isDeepStrictEqual } from "node:util";
import type { Finding } from "@durable-stack/class-lifecycle";
import { shortDigest } from "../release/manifest.ts";
import { isOurs } from "./ours.ts";
import { canServe, type Servable } from "./pin.ts";
import type { Serving, Traffic } from "./traffic.ts";

/** A binding of a version; the text of a secret is never among its properties. */
export interface Binding {
  readonly name: string;
  readonly [property: string]: unknown;
}

/** A version as it is compared. */
export interface KnownVersion {
  readonly versionId: string;
  readonly number: number;
  readonly tag: string | undefined;
  /** The digest of its release; undefined: no release of ours made it. */
  readonly digest: string | undefined;
  /** What made it, as Cloudflare says: `api`, `wrangler`, `dash`, `secret`… */
  readonly source: string | undefined;
  readonly bindings: readonly Binding[];
}

/** The deployment that is in force. */
export interface KnownDeployment {
  readonly id: string;
  readonly message: string | undefined;
  readonly source: string | undefined;
}

export interface Observed {
  readonly serving: readonly Serving[];
  /** All versions, the newest first. */
  readonly versions: readonly KnownVersion[];
  readonly deployment: KnownDeployment | undefined;
}

/** How the message of every deployment of this program begins. */
const MARK = "durable-stack";
/** How it begins where the deployment puts a version back that is older than one of something else's. */
const OVER = `${MARK}, over deployment `;

/**
 * The message of a version. The deployment that its upload makes, where that changes classes, has the same. `begins`:
 * whether a class begins with it without the objects that it was to receive. Cloudflare keeps 1,000 bytes of it: what
 * is read back comes before the step, whose name may be long.
 */
export const versionMessage = (digest: string, step: string, begins = false): string =>
  `${MADE_OF}${shortDigest(digest)}${begins ? WITHOUT : ""}, step ${step}`;
const WITHOUT = ", without lost objects";

/** Whether a class began with the version of this message: an earlier one that waits for its objects cannot serve again. */
export const beginsWithout = (message: string | undefined): boolean => message !== undefined && BEGINS.test(message);
const MADE_OF = "release ";
const OF_UPLOAD = new RegExp(`^${MADE_OF}[0-9a-f]{12}(${WITHOUT})?, step `);
/** In versions of before it comes after the step; nothing that a person wrote does. */
const BEGINS = new RegExp(`^${MADE_OF}[0-9a-f]{12}(, step [^;]*)?${WITHOUT}`);

/** Whether this program has made a deployment with this message: by itself, or by uploading a version. */
const isOurDeployment = (message: string | undefined): message is string =>
  message !== undefined && (message.startsWith(MARK) || OF_UPLOAD.test(message));

/** Whether what serves is what is wanted of the release tagged `tag`, to the per cent. */
export function servesAsWanted(serving: readonly Serving[], tag: string, { release, stable }: Traffic): boolean {
  const shares = serving.map(({ versionId, tag: own, percentage }) =>
    versionId === stable?.versionId ? percentage === stable.percentage : own === tag && percentage === release,
  );
  return shares.every(Boolean) && shares.length === (release > 0 ? 1 : 0) + (stable ? 1 : 0);
}

/** What a deployment's message says besides. */
export interface Notes {
  /** The part that names a refused release. */
  readonly refusal?: string | undefined;
  /** The number of the version that the stack is pinned to; undefined: it is not. */
  readonly pin?: number | undefined;
}

/**
 * The message for the deployment of this update. It stays as it is while ours is in force, serves as wanted and says the
 * same of a pin. Otherwise it must be another: a deployment of ours that something else has replaced looks unchanged to
 * the engine, because Cloudflare changes none. Only another message makes the engine deploy again.
 */
export function deploymentMessage(
  { deployment, ...observed }: Observed,
  tag: string,
  asWanted: boolean,
  { refusal, pin }: Notes = {},
): string {
  const pinNote = pin === undefined ? [] : [`pin ${pin}`];
  if (!deployment) return [MARK, ...pinNote].join(", ");
  const { id, message } = deployment;
  if (asWanted && message?.startsWith(MARK) && pinIn(message) === pin) return message;
  // A pin is forced without this.
  if (pin === undefined && putsBack(observed, tag)) return `${OVER}${id}`;
  return [MARK, ...(refusal === undefined ? [] : [refusal]), ...pinNote, `after deployment ${id}`].join(", ");
}

/** The pin in a deployment's message: the release that it refuses, if any, and the number of the version. */
const PIN = /^durable-stack(, refuses [0-9a-f]{12})?, pin (\d+)\b/;

/** The number of the version that a deployment's message says its stack is pinned to. */
function pinIn(message: string): number | undefined {
  const [, , number] = PIN.exec(message) ?? [];
  return number === undefined ? undefined : Number(number);
}

/**
 * The version that the last deployment of this program says the stack is pinned to, by its number: nobody else has the
 * settings file in which the pin is. `messages`: those of the deployments, the newest first.
 */
export function pinnedBy(messages: readonly (string | undefined)[]): number | undefined {
  const last = messages.find(isOurDeployment);
  return last === undefined ? undefined : pinIn(last);
}

/**
 * The digest of the release that this program deployed last, whatever something else has sent the traffic to since.
 * Where no deployment of ours is listed any more, that of our newest version. Both lists have the newest first.
 */
export function deployedLast(
  deployments: readonly { readonly message: string | undefined; readonly versionIds: readonly string[] }[],
  versions: readonly KnownVersion[],
): string | undefined {
  const ours = versions.filter(isOurs);
  const last = deployments.find(({ message }) => isOurDeployment(message));
  return (ours.find(({ versionId }) => last?.versionIds.includes(versionId)) ?? ours[0])?.digest;
}

/**
 * Whether that pin is the way back from a release that a rollout has refused: it keeps that release out, and no other. A
 * CI job keeps no file with a pin to release, and the next release is to go on.
 */
export function isWayBack(messages: readonly (string | undefined)[]): boolean {
  const [, refusal] = PIN.exec(messages.find(isOurDeployment) ?? "") ?? [];
  return refusal !== undefined;
}

/**
 * Whether the release tagged `tag` is there already, and a newer version that is not ours serves. That one may have
 * another secret (`wrangler secret put`), and then Cloudflare wants to be told that the older value is meant.
 */
function putsBack({ serving, versions }: Pick<Observed, "serving" | "versions">, tag: string): boolean {
  const back = versions.find((version) => isOurs(version) && version.tag === tag);
  return (
    back !== undefined &&
    serving.some(({ versionId, number }) => {
      const version = versions.find((known) => known.versionId === versionId);
      return number > back.number && version !== undefined && !isOurs(version);
    })
  );
}

/**
 * Whether a deployment with this message is forced (API error 10220 otherwise). It follows from the message alone, so
 * that it stays as long as the deployment does: every other input of a deployment makes another one.
 */
export const isForced = (message: string): boolean => message.startsWith(OVER);

interface Drifted extends Observed {
  /** What served when only versions of ours did, the stable one last. */
  readonly servedLast: readonly Serving[];
  readonly rollbackFloor: number | undefined;
}

/** Versions that serve and are not ours, and a deployment that moved the traffic of ours. */
export function trafficDrift(observed: Drifted, asWanted: boolean, stack: string): readonly Finding[] {
  const { serving, servedLast, versions, deployment } = observed;
  const live = serving.flatMap(({ versionId, percentage }) => {
    const version = versions.find((known) => known.versionId === versionId);
    return version ? [{ ...version, percentage }] : [];
  });
  // If no version is ours, the Worker never was; the planner reports that.
  const last = versions.find(isOurs);
  if (!last) return [];
  const foreign = live.filter((version) => !isOurs(version));
  if (foreign.length > 0) {
    const stable = versions.find(({ versionId }) => versionId === servedLast.at(-1)?.versionId);
    // An update that makes a version needs the admin token, which a terminal may not have; a pin does without.
    const back =
      stable && canServe(stable, observed)
        ? ` Without the admin token: \`npm run rollback -- --stack ${stack} --to ${stable.number}\`, which served before.`
        : "";
    return foreign.map((version) => ({
      code: "serving_version_not_ours",
      subject: `version ${version.number}`,
      message: `it has ${version.percentage} % of the traffic, and ${by(version.source)} made it, not this program; compared with version ${last.number}, ${changedBindings(last.bindings, version.bindings)}.${renamed(last, version)}`,
      fix: `\`up\` puts this stack's release back, with this stack's secrets.${back} Before that, put into the program or the settings what the other version was made for.`,
    }));
  }
  if (!deployment || asWanted || isOurDeployment(deployment.message)) return [];
  const shares = live.map(({ number, percentage }) => `version ${number} ${percentage} %`).join(", ");
  return [
    {
      code: "deployment_not_ours",
      subject: `deployment ${deployment.id}`,
      message: `${by(deployment.source)} made it, not this program: ${shares}.`,
      fix: `\`up\` sends the traffic where this stack's settings say${waysToStay(stack, live, observed)}. Without the admin token: \`npm run rollback -- --stack ${stack} --list\`, and --to with one that can serve.`,
    },
  ];
}

/** How to leave the traffic with what serves. Without --to, a rollback would leave that for what served before it. */
function waysToStay(stack: string, live: readonly KnownVersion[], servable: Servable): string {
  const lines = live
    .filter((version) => canServe(version, servable))
    .map(({ number }) => `\`npm run rollback -- --stack ${stack} --to ${number}\``);
  if (lines.length === 0) return "";
  return live.length === 1
    ? `; to stay there: ${lines[0]}`
    : `; to leave all of it with one of them: ${lines.join(" or ")}`;
}

/** What to know where a version names objects by another region table than ours. */
function renamed(ours: KnownVersion, other: KnownVersion): string {
  const [before, now] = [ours, other].map(({ bindings }) => bindings.find(({ name }) => name === "REGIONS")?.json);
  if (now === undefined || before === now) return "";
  return " It has a region table of its own: objects made since have names that this stack does not ask for. They stay where they are; read out what is to be kept before `up`.";
}

const by = (source: string | undefined): string => source ?? "something else";

/** `bindings +NEW, -GONE, ~CHANGED`, or that they are the same. */
function changedBindings(before: readonly Binding[], after: readonly Binding[]): string {
  const names = [...new Set([...before, ...after].map(({ name }) => name))].sort();
  const changes = names.flatMap((name) => {
    const [old, now] = [before, after].map((bindings) => bindings.find((binding) => binding.name === name));
    if (!old) return [`+${name}`];
    if (!now) return [`-${name}`];
    return isDeepStrictEqual(old, now) ? [] : [`~${name}`];
  });
  return changes.length ? `its bindings are ${changes.join(", ")}` : "its bindings are the same";
}
