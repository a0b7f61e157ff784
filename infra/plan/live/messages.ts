/**
 * The messages that this program leaves at Cloudflare with its versions and deployments, and what is read back from
 * them: a pin and a refusal hold also where nobody has the settings file. Pure.
 */
import { shortDigest } from "../../release/manifest.ts";
import type { DeploymentRead } from "../account/reads.ts";
import { isOurs } from "./ours.ts";
import type { KnownVersion, Observed } from "./version.ts";

/** A release's digest in a message (`shortDigest`). */
const DIGEST = "[0-9a-f]{12}";

/** How the message of a version begins. */
const MADE_OF = "release ";
const WITHOUT = ", without lost objects";
const OF_UPLOAD = new RegExp(`^${MADE_OF}${DIGEST}(${WITHOUT})?, step `);
/** In versions of before it comes after the step; nothing that a person wrote does. */
const BEGINS = new RegExp(`^${MADE_OF}${DIGEST}(, step [^;]*)?${WITHOUT}`);

/** How the message of every deployment of this program begins. */
const MARK = "durable-stack";
/** How it begins where the deployment puts a version back that is older than one of something else's. */
const OVER = `${MARK}, over deployment `;
const REFUSES = "refuses ";
const REFUSAL = new RegExp(`^${MARK}, ${REFUSES}(${DIGEST})\\b`);
/** The pin comes after the release that the deployment refuses, if any. */
const PIN = new RegExp(`^${MARK}(?:, ${REFUSES}${DIGEST})?, pin (\\d+)\\b`);

/**
 * The message of a version. The deployment that its upload makes, where that changes classes, has the same. `begins`:
 * whether a class begins with it without the objects that it was to receive. Cloudflare keeps 1,000 bytes of it: what
 * is read back comes before the step, whose name may be long.
 */
export const versionMessage = (digest: string, step: string, begins = false): string =>
  `${MADE_OF}${shortDigest(digest)}${begins ? WITHOUT : ""}, step ${step}`;

/** Whether a class began with the version of this message: an earlier one that waits for its objects cannot serve again. */
export const beginsWithout = (message: string | undefined): boolean => message !== undefined && BEGINS.test(message);

/** Whether this program has made a deployment with this message: by itself, or by uploading a version. */
export const isOurDeployment = (message: string | undefined): message is string =>
  message !== undefined && (message.startsWith(MARK) || OF_UPLOAD.test(message));

/** The part of a deployment's message that says which release it was made to get rid of. */
export const refusalNote = (digest: string): string => `${REFUSES}${shortDigest(digest)}`;

/** The digest (12 digits) of that release; undefined: the deployment refuses none. */
const refusalIn = (message: string | undefined): string | undefined => REFUSAL.exec(message ?? "")?.[1];

interface Deployed {
  readonly message: string | undefined;
  /** What it serves: the digests of ours, with their share in per cent. */
  readonly serves: readonly { readonly digest: string | undefined; readonly percentage: number }[];
}

/** The digests (12 digits) that deployments, the newest first, say to refuse, and that had not all traffic since. */
export function refusedBy(deployments: readonly Deployed[]): readonly string[] {
  const [refused, served] = [new Set<string>(), new Set<string>()];
  for (const { message, serves } of deployments) {
    for (const one of serves) {
      if (one.digest !== undefined && one.percentage === 100) served.add(shortDigest(one.digest));
    }
    // One that serves itself what it refuses got rid of settings, and not of a release.
    const digest = refusalIn(message);
    if (digest !== undefined && !served.has(digest)) refused.add(digest);
  }
  return [...refused];
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

/** The number of the version that a deployment's message says its stack is pinned to. */
function pinIn(message: string | undefined): number | undefined {
  const number = PIN.exec(message ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * The version that the last deployment of this program says the stack is pinned to, by its number: nobody else has the
 * settings file in which the pin is. `messages`: those of the deployments, the newest first.
 */
export const pinnedBy = (messages: readonly (string | undefined)[]): number | undefined =>
  pinIn(messages.find(isOurDeployment));

/**
 * Whether that pin is the way back from a release that a rollout has refused: it keeps that release out, and no other. A
 * CI job keeps no file with a pin to release, and the next release is to go on.
 */
export function isWayBack(messages: readonly (string | undefined)[]): boolean {
  const last = messages.find(isOurDeployment);
  return pinIn(last) !== undefined && refusalIn(last) !== undefined;
}

/**
 * The digest of the release that this program deployed last, whatever something else has sent the traffic to since.
 * Where no deployment of ours is listed any more, that of our newest version. Both lists have the newest first.
 */
export function deployedLast(
  deployments: readonly Pick<DeploymentRead, "message" | "versions">[],
  versions: readonly KnownVersion[],
): string | undefined {
  const ours = versions.filter(isOurs);
  const last = deployments.find(({ message }) => isOurDeployment(message));
  const isInLast = (version: KnownVersion) => last?.versions.some(({ versionId }) => versionId === version.versionId);
  return (ours.find(isInLast) ?? ours[0])?.digest;
}
