/** `…/assets-upload-session` and `/workers/assets/upload`: the upload of static assets for a version. */
import { type Context, Hono } from "hono";
import { fileId, MAX_FILE_SIZE, parseManifest } from "../assets/manifest.ts";
import { manifestOf, openSession, receive, sessionOf } from "../assets/sessions.ts";
import { invalid } from "../errors.ts";
import { formIn } from "../parse.ts";
import { json } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";

/** Below `/workers/scripts/:script`. The Worker need not exist: a client uploads its assets first. */
export const assetSessions = ({ account }: Api) =>
  new Hono().post("/", async (c) => {
    const entries = parseManifest(await json(c), account.plan);
    return ok(c, await account.change((draft) => openSession(draft, entries, Date.now())));
  });

/** Below `/workers/assets/upload`. A caller shows the session's token there, not the account's. */
export const assetUploads = ({ account }: Api) =>
  new Hono().post("/", async (c) => {
    const token = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    const session = sessionOf(account.state, token, "upload", Date.now());
    if (c.req.query("base64") !== "true") throw invalid("base64: the query must say base64=true.");
    const files = await readFiles(c, new Set(manifestOf(account, session).map(([, id]) => id)));
    const completion = await account.assets.keep(
      files.map(({ contents }) => contents),
      (digests) =>
        account.change((draft) =>
          receive(
            draft,
            session,
            files.flatMap(({ id }, index) => {
              const sha256 = digests[index];
              return sha256 === undefined ? [] : [{ id, sha256 }];
            }),
          ),
        ),
    );
    return completion === undefined ? ok(c, {}, undefined, 202) : ok(c, { jwt: completion }, undefined, 201);
  });

interface Uploaded {
  /** Its id in the manifest. */
  readonly id: string;
  readonly contents: Uint8Array;
}

/** The files of the form; a part's name is its file's hash. @throws ApiError 10021 naming every unexpected part. */
async function readFiles(c: Context, announced: ReadonlySet<string>): Promise<Uploaded[]> {
  const form = await formIn(c.req.raw);
  const files: Uploaded[] = [];
  const mistakes: string[] = [];
  for (const [hash, part] of form) {
    const contents = Buffer.from(typeof part === "string" ? part : await part.text(), "base64");
    const id = fileId({ hash, size: contents.byteLength });
    if (announced.has(id)) files.push({ id, contents });
    else if (contents.byteLength > MAX_FILE_SIZE)
      mistakes.push(`${hash} has more than ${MAX_FILE_SIZE} bytes (25 MiB)`);
    else mistakes.push(`${hash} with ${contents.byteLength} bytes is not in the manifest`);
  }
  if (mistakes.length > 0) throw invalid(`${mistakes.join("; ")}. The contents of a file are sent in base64.`);
  return files;
}
