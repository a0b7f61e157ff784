/** The smoke test of a rollout: first whether it can judge anything, then what it says about the release. */
import { adminTokenOf } from "../apply/admin-token.ts";
import { updateLine } from "../apply/update-line.ts";
import { UserError } from "../common/user-error.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { mustStaySecret } from "../smoke/in-the-clear.ts";
import type { Check } from "../smoke/probe.ts";
import { askFor, isAnswered, type NotReady, type OptionNames, type Readiness, readiness } from "../smoke/ready.ts";
import type { Blind } from "../smoke/reason.ts";
import { smoke } from "../smoke/smoke.ts";
import { hasAnswered, inAll } from "../smoke/verdict.ts";
import { LOCAL } from "../stack/project.ts";
import { wholeLine } from "../stack/traffic-lines.ts";

export interface TrialOptions {
  readonly stack: string;
  readonly dir: string;
  /** Where the Worker answers. */
  readonly url: URL;
  readonly adminToken: string | undefined;
  /** How the command calls these two. */
  readonly names: OptionNames;
  readonly say: (line: string) => void;
}

/** What a smoke test says about a version; or why it says nothing. */
export type Smoked = "well" | "bad" | Blind;

export class Trial {
  readonly #options: TrialOptions;
  /** Whether the version that served before took the admin token. */
  #isTokenGood = false;

  /** @throws UserError where the admin token would be readable on its way. */
  constructor(options: TrialOptions) {
    this.#options = options;
    mustStaySecret(options.url, this.#adminToken);
  }

  /** @throws UserError where the smoke test can judge nothing: before a wrong address or token passes for a bad release. */
  async mustJudge(preview: Preview): Promise<void> {
    const seen = await this.#begin(preview);
    if (seen.isReady) return;
    const { stack, dir } = this.#options;
    // `up` takes no release that nobody has judged while versions share the traffic.
    const isShared = preview.live.serving.length > 1;
    const mend = isShared ? wholeLine(stack, dir) : updateLine(stack, dir);
    const isBroken = seen.because === "failing" || seen.because === "another site";
    throw this.#cannotJudge(seen, isBroken ? mend : undefined);
  }

  /**
   * Tries a release that has all traffic, and that nobody was asked about before.
   * @throws UserError where the smoke test can judge nothing
   */
  async confirm(preview: Preview): Promise<Smoked> {
    const seen = await this.#begin(preview);
    // It is the release itself that was asked: what it does wrong is its own failure, and no wrong address.
    if (!seen.isReady && seen.because !== "failing" && seen.because !== "token refused") throw this.#cannotJudge(seen);
    const found = await this.smoke(preview, undefined);
    // No other version can say whether the token or the release is wrong.
    if (found === "token refused" && !seen.isReady) throw this.#cannotJudge(seen);
    return found;
  }

  /** How the new version does what it promises; `version`: asked for by name, else whatever serves. */
  async smoke(preview: Preview, version: string | undefined): Promise<Smoked> {
    const { url, say } = this.#options;
    const checks = await smoke(url, {
      adminToken: this.#adminToken,
      digest: preview.release.digest,
      ...(version !== undefined && { headers: askFor(preview.settings.workerName, version) }),
    });
    const failed = checks.filter(({ ok }) => !ok);
    say(`  smoke test: ${inAll(checks)}`);
    for (const { name, detail } of failed) say(`    ${name}: ${detail}`);
    if (failed.length === 0) return "well";
    // The stable version is asked once at most: of the address here, or else of the token below.
    const lost = checks.findIndex(({ blind }) => blind === "not reached");
    if (lost >= 0) {
      // What is not reached though the Worker answers is the release's own fault.
      return (await this.#isReached(preview, version, checks.slice(lost + 1))) ? "bad" : "not reached";
    }
    if (failed.some(({ blind }) => blind === undefined)) return "bad";
    if (failed.some(({ blind }) => blind === "edge answered")) return "edge answered";
    return (await this.#takesToken(preview, version)) ? "bad" : "token refused";
  }

  /** Why the smoke test says nothing about the release, and what to correct. */
  why(found: Blind): string {
    const { names } = this.#options;
    return {
      "not reached": `nothing answered any more. Correct ${names.url}, or what is between here and the Worker`,
      "edge answered": "Cloudflare's edge answered in the Worker's place. Look at the Worker's route or custom domain",
      "token refused": `the admin token was refused. Give the one of this stack as ${names.adminToken}`,
    }[found];
  }

  get #adminToken(): string | undefined {
    const { adminToken, stack, dir } = this.#options;
    return adminToken ?? (stack === LOCAL ? adminTokenOf(dir) : undefined);
  }

  /** The same as `#readiness`, before the release gets traffic: it remembers whether the token is good. */
  async #begin(preview: Preview): Promise<Readiness> {
    const seen = await this.#readiness(preview);
    this.#isTokenGood = seen.isReady && seen.takesToken;
    return seen;
  }

  /** Whether the smoke test can judge, asked of the version that serves beside the release, or in its place. */
  #readiness({ live, tag, settings }: Preview): Promise<Readiness> {
    const { url, stack, names } = this.#options;
    const ours = live.serving.filter(({ digest }) => digest !== undefined);
    const version = ours.find((one) => one.tag !== tag) ?? ours[0];
    return readiness(url, {
      stack,
      worker: settings.workerName,
      version: version?.versionId,
      adminToken: this.#adminToken,
      names,
    });
  }

  /** `mend`: the command that sends the release out unjudged, where the version before seems broken. */
  #cannotJudge({ why }: NotReady, mend?: string): UserError {
    const mends = `Where the version that serves is broken and this release mends it: ${mend}`;
    const lines = [`The smoke test cannot judge anything. ${why}`, ...(mend === undefined ? [] : [mends])];
    return new UserError([...lines, "The traffic is as it was."].join("\n"));
  }

  /** Whether the Worker can be reached after a check was not answered: a later one was, or the stable version answers. */
  async #isReached(preview: Preview, version: string | undefined, later: readonly Check[]): Promise<boolean> {
    if (hasAnswered(later)) return true;
    // At 100 % there is no stable version to ask.
    if (version === undefined) return isAnswered(this.#options.url);
    const seen = await this.#readiness(preview);
    // Who refuses the token has answered at /health as the stable version does.
    return seen.isReady || seen.because === "token refused";
  }

  /** Whether the stable version takes the admin token, or took it before the release got all traffic (no `version`). */
  async #takesToken(preview: Preview, version: string | undefined): Promise<boolean> {
    if (version === undefined) return this.#isTokenGood;
    const seen = await this.#readiness(preview);
    return seen.isReady && seen.takesToken;
  }
}
