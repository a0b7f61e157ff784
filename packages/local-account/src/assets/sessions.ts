/**
 * Upload sessions: a client registers a manifest, uploads the files that the account does not hold yet, and gets a token
 * that makes them the assets of a version. Everything here works on a draft of the account.
 */
import { ApiError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { AssetSession, Assets, State, Version } from "../model.ts";
import type { Draft } from "../store.ts";
import type { AssetsUpload } from "./config.ts";
import { buckets, fileId, type Manifest, type ManifestEntry, toManifest } from "./manifest.ts";
import { type Purpose, sign, verify } from "./token.ts";

/** How long a token is good for, and how long what was uploaded is kept for it. Cloudflare's hour. */
const LIFETIME_MS = 60 * 60 * 1_000;

/** What a session answers: where to go on, and the files to upload, by their hashes. */
interface Opened {
  readonly jwt: string;
  readonly buckets: readonly (readonly string[])[];
}

/** Registers a manifest. Without a file to upload the token completes the session at once. */
export function openSession(draft: Draft, entries: ReadonlyMap<string, ManifestEntry>, now: number): Opened {
  forgetUnused(draft, now);
  const session = draft.put("assetSessions", {
    id: newUuid(),
    manifest: draft.putBlob(Buffer.from(JSON.stringify(toManifest(entries)))),
    files: entries.size,
    expiresOn: new Date(now + LIFETIME_MS).toISOString(),
    redeemed: false,
  });
  const missing = [...entries.values()].filter((entry) => !draft.state.assetFiles.has(fileId(entry)));
  return {
    jwt: tokenFor(draft.state, session, missing.length === 0 ? "completion" : "upload"),
    buckets: buckets(missing),
  };
}

/** The session that a token is for. @throws ApiError 10000 (401) when it is for none, or not for this. */
export function sessionOf(state: State, token: string, purpose: Purpose, now: number): AssetSession {
  const claims = verify(token, purpose, secretOf(state), now);
  const refused = (reason: string) =>
    new ApiError(401, 10000, `Authentication error: the token of the assets is not good for this: ${reason}.`);
  if (typeof claims === "string") throw refused(claims);
  const session = state.assetSessions.get(claims.session);
  if (session === undefined) throw refused("its session has ended");
  return session;
}

/** Takes note of files that are on disk. Returns the completion token once all of the session's are. */
export function receive(
  draft: Draft,
  { id }: AssetSession,
  files: Iterable<{ readonly id: string; readonly sha256: string }>,
): string | undefined {
  const session = draft.state.assetSessions.get(id);
  if (session === undefined) throw new ApiError(401, 10000, "Authentication error: the upload session has ended.");
  for (const file of files) if (!draft.state.assetFiles.has(file.id)) draft.put("assetFiles", file);
  const complete = manifestOf(draft, session).every(([, file]) => draft.state.assetFiles.has(file));
  return complete ? tokenFor(draft.state, session, "completion") : undefined;
}

/**
 * The assets that an upload gives to a version; those of `latest`, the newest one, where it says so. Settings without
 * files are no mistake, as the provider sends them, and have no effect.
 */
export function assetsFor(
  draft: Draft,
  upload: AssetsUpload | null,
  options: { readonly keep: boolean; readonly latest: Version | undefined; readonly now: number },
): Assets | undefined {
  const kept = options.keep ? options.latest?.assets : undefined;
  if (upload === null) return kept;
  if (upload.jwt === null) return kept && { ...kept, config: upload.config };
  const session = sessionOf(draft.state, upload.jwt, "completion", options.now);
  const { manifest, files } = draft.put("assetSessions", { ...session, redeemed: true });
  return { manifest, files, config: upload.config };
}

/** Removes sessions that have expired, files that no version has and no session is to make one of, and their sessions. */
export function forgetUnused(draft: Draft, now: number): void {
  const sessions = [...draft.state.assetSessions.values()];
  const expired = new Set(sessions.filter(({ expiresOn }) => Date.parse(expiresOn) <= now));
  const holders = [
    ...[...draft.state.versions.values()].flatMap(({ assets }) => (assets === undefined ? [] : [assets.manifest])),
    ...sessions.filter((session) => !session.redeemed && !expired.has(session)).map(({ manifest }) => manifest),
  ];
  const filesOf = (manifest: string) => manifestOf(draft, { manifest }).map(([, file]) => file);
  const used = new Set([...new Set(holders)].flatMap(filesOf));
  for (const session of sessions)
    if (expired.has(session) || (session.redeemed && !filesOf(session.manifest).every((file) => used.has(file))))
      draft.delete("assetSessions", session.id);
  for (const id of draft.state.assetFiles.keys()) if (!used.has(id)) draft.delete("assetFiles", id);
}

/** What the blob of a manifest says. */
export function manifestOf(
  from: { blob(sha256: string): Uint8Array },
  { manifest }: Pick<Assets, "manifest">,
): Manifest {
  // Written by `openSession` alone.
  return JSON.parse(new TextDecoder().decode(from.blob(manifest)));
}

const tokenFor = (state: State, { id, expiresOn }: AssetSession, purpose: Purpose): string =>
  sign({ session: id, purpose, exp: Math.floor(Date.parse(expiresOn) / 1_000) }, secretOf(state));

function secretOf(state: State): string {
  const identity = state.identity.get("account");
  if (identity === undefined) throw new Error("account.db has no account in it");
  return identity.token;
}
