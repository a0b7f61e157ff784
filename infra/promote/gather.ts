/** What there is to know of the stack that a release comes from: its account is read, and the stack is smoke-tested. */
import { readWorker } from "../plan/live/worker.ts";
import type { Manifest } from "../release/manifest.ts";
import type { SmokeOptions } from "../smoke/probe.ts";
import { smoke } from "../smoke/smoke.ts";
import { checkLine, isTokenRefused, reasonsLost, untriedIn, verdictOf } from "../smoke/verdict.ts";
import type { OpenStack } from "../stack/open.ts";
import type { Smoked, Source } from "./decide.ts";
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
  const asked = { stack: name, digest: release.digest, adminToken };
  const smoked = since === undefined || url === undefined ? undefined : await smokeTest(url, asked, say);
  return { stack: name, serving: live.serving, step: live.step, since, smoked };
}

async function smokeTest(url: URL, asked: SmokeOptions, say: (line: string) => void): Promise<Smoked> {
  const checks = await smoke(url, { ...asked, onCheck: (check) => say(checkLine(check)) });
  const failed = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  if (isTokenRefused(checks)) return { failed, isTokenRefused: true };
  if (verdictOf(checks) === "not answered") return { failed, lostBecause: reasonsLost(checks).join(" ") };
  return { failed, untried: untriedIn(checks) };
}
