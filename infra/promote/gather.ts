/** What there is to know of the stack that a release comes from: its account is read, and the stack is smoke-tested. */
import { readWorker } from "../plan/live.ts";
import type { Manifest } from "../release/manifest.ts";
import { smoke } from "../smoke/smoke.ts";
import type { OpenStack } from "../stack/open.ts";
import type { Source } from "./decide.ts";
import { ofSource } from "./source.ts";

export interface Ways {
  /** Where the stack answers; undefined: that is not known, and there is no smoke test. */
  readonly url: URL | undefined;
  readonly adminToken: string | undefined;
  readonly say: (line: string) => void;
}

/** @throws UserError that names the stack and its variables, where its account cannot be read. */
export async function gather(
  { name, settings, reads }: OpenStack,
  release: Pick<Manifest, "digest">,
  { url, adminToken, say }: Ways,
): Promise<Source> {
  const live = await readWorker(reads, settings.workerName).catch((error: unknown) => {
    throw ofSource(name, error);
  });
  const since = live.digest === release.digest ? live.servedSince : undefined;
  // A release that it does not serve needs no smoke test: it is refused already.
  const failed = since === undefined || url === undefined ? undefined : await failures(url, release, adminToken, say);
  return { stack: name, serving: live.serving, since, failed };
}

async function failures(
  url: URL,
  { digest }: Pick<Manifest, "digest">,
  adminToken: string | undefined,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const checks = await smoke(url, {
    adminToken,
    digest,
    onCheck: ({ name, ok, detail }) => say(`${ok ? "ok  " : "FAIL"}  ${name.padEnd(12)}  ${detail}`),
  });
  return checks.filter(({ ok }) => !ok).map(({ name }) => name);
}
