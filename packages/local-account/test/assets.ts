/** Uploads static assets like a client of the API. Hashes are made as in Cloudflare's example for direct uploads. */
import { createHash } from "node:crypto";
import type { TestAccount } from "./support.ts";

export type Files = Readonly<Record<string, string>>;

export const hashOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

const manifestOf = (files: Files) =>
  Object.fromEntries(
    Object.entries(files).map(([at, text]) => [at, { hash: hashOf(text), size: Buffer.byteLength(text) }]),
  );

export const bearer = (jwt: string | undefined) => ({ headers: { Authorization: `Bearer ${jwt}` } });

export async function openSession(test: TestAccount, files: Files) {
  return test.sdk.workers.scripts.assets.upload.create("site", { account_id: test.id, manifest: manifestOf(files) });
}

/** Uploads the files with these contents. */
export function send(test: TestAccount, jwt: string | undefined, ...texts: readonly string[]) {
  return test.sdk.workers.assets.upload.create(
    {
      account_id: test.id,
      base64: true,
      body: Object.fromEntries(texts.map((text) => [hashOf(text), Buffer.from(text).toString("base64")])),
    },
    bearer(jwt),
  );
}

/** Uploads files completely. Returns the completion token. */
export async function uploaded(test: TestAccount, files: Files): Promise<string> {
  const session = await openSession(test, files);
  const missing = new Set(session.buckets?.flat());
  if (missing.size === 0) return session.jwt ?? "";
  return (await send(test, session.jwt, ...Object.values(files).filter((text) => missing.has(hashOf(text))))).jwt ?? "";
}

export interface Parts {
  readonly code?: string;
  readonly [member: string]: unknown;
}

/** Uploads a version by the scripts API like wrangler, on the account's subdomain. Without code it has no script. */
export async function deployWithAssets(test: TestAccount, worker: string, parts: Parts): Promise<unknown> {
  const result = await putScript(test, worker, parts);
  await test.sdk.workers.scripts.subdomain.create(worker, {
    account_id: test.id,
    enabled: true,
    previews_enabled: true,
  });
  return result;
}

/** Only the upload. */
export async function putScript(test: TestAccount, worker: string, { code, ...metadata }: Parts): Promise<unknown> {
  const form = new FormData();
  form.append(
    "metadata",
    JSON.stringify({
      compatibility_date: "2026-11-01",
      ...(code !== undefined && { main_module: "index.js" }),
      ...metadata,
    }),
  );
  if (code !== undefined)
    form.append("index.js", new File([code], "index.js", { type: "application/javascript+module" }));
  const answer: { result: unknown } = await test.sdk.put(`/accounts/${test.id}/workers/scripts/${worker}`, {
    body: form,
  });
  return answer.result;
}
