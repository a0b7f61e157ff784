/**
 * Upload sessions: a client registers a manifest, uploads the files that the account does not have yet, and gets a
 * token that makes them the assets of a version. Everything here works on a draft of the account.
 */
import { ApiError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { AssetSession, Assets, State, Version } from "../model.ts";
import type { Draft } from "../store.ts";
import type { AssetsUpload } from "./config.ts";
import { buckets, fileId, type Manifest, type ManifestEntry, toManifest } from "./manifest.ts";
import { type Purpose, sign, verify } from "./token.ts";

/** How long a token is valid, and its uploaded files are kept: an hour, as at Cloudflare. */
const LIFETIME_MS = 60 * 60 * 1_000;

/** The answer to a session's start: the token for the next call, and the hashes of the files to upload. */
interface Opened {
  readonly jwt: string;
  readonly buckets: readonly (readonly string[])[];
}

/** Registers a manifest. If there is nothing to upload, the token completes the session at once. */
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

/** The session of a token. @throws ApiError 10000 (401) if the token is invalid, or has another purpose. */
export function sessionOf(state: State, token: string, purpose: Purpose, now: number): AssetSession {
  const claims = verify(token, purpose, secretOf(state), now);
  const refused = (reason: string) =>
    new ApiError(401, 10000, `Authentication error: the token of the assets is not valid here: ${reason}.`);
  if (typeof claims === "string") throw refused(claims);
  const session = state.assetSessions.get(claims.session);
  if (session === undefined) throw refused("its session has ended");
  return session;
}

/** Notes files that are on disk. Returns the completion token once all files of the session are. */
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
 * The assets of an uploaded version: its own, or with `keep_assets` those of `latest`, the newest version. Settings
 * without files have no effect and are not refused, because the provider sends them.
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

/** Removes expired sessions, and files that neither a version nor a session needs. */
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

/** Reads a stored manifest. */
export function manifestOf(
  from: { blob(sha256: string): Uint8Array },
  { manifest }: Pick<Assets, "manifest">,
): Manifest {
  // Only `openSession` writes it.
  return JSON.parse(new TextDecoder().decode(from.blob(manifest)));
}

const tokenFor = (state: State, { id, expiresOn }: AssetSession, purpose: Purpose): string =>
  sign({ session: id, purpose, exp: Math.floor(Date.parse(expiresOn) / 1_000) }, secretOf(state));

function secretOf(state: State): string {
  const identity = state.identity.get("account");
  if (identity === undefined) throw new Error("account.db has no account in it");
  return identity.token;
}
