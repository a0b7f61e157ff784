/** Errors before anything is sent: missing credentials, and an account that cannot be read. */

import { describe as inWords } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { credentialFindings } from "../../infra/plan/account/credentials.ts";
import { unreadable } from "../../infra/plan/account/unreadable.ts";
import { takenAddresses } from "../../infra/plan/addresses/taken.ts";
import { refusalNote, refusedBy } from "../../infra/plan/live/messages.ts";
import { keptVersion } from "../../infra/plan/live/ours.ts";
import { type Dated, orderFindings } from "../../infra/plan/rules/older-release.ts";
import { allRefused, refusedFindings, takenBack } from "../../infra/plan/rules/refused-release.ts";
import { Api, ApiError } from "../../infra/provider/api.ts";

const GOOD = "aB3-_".repeat(9);

describe("the provider's credentials", () => {
  const codes = (config: Record<string, string>, env: Record<string, string> = {}) =>
    credentialFindings(config, env).map(({ code, subject }) => `${code} ${subject}`);

  it("are a token, in the config or the environment, or Cloudflare's older key and email", () => {
    expect(codes({ "cloudflare:apiToken": GOOD })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_TOKEN: GOOD })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_TOKEN: "any-token-that-a-header-can-carry" })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_KEY: "k", CLOUDFLARE_EMAIL: "a@example.com" })).toEqual([]);
    expect(codes({ "cloudflare:apiUserServiceKey": "k" })).toEqual([]);
  });

  it("are missing if there are none, or only half of them", () => {
    for (const env of [{}, { CLOUDFLARE_API_TOKEN: "" }, { CLOUDFLARE_API_KEY: "k" }]) {
      expect(codes({}, env)).toEqual(["token_missing CLOUDFLARE_API_TOKEN"]);
    }
  });

  it("are refused with what is wrong with them, and never shown", () => {
    const wrong = ["too-short", "x".repeat(81), `${GOOD}!`, `${GOOD}\n`];
    for (const token of wrong) {
      const [finding] = credentialFindings({ "cloudflare:apiToken": token }, { CLOUDFLARE_API_TOKEN: GOOD });
      expect(finding?.code).toBe("token_malformed");
      expect(finding && inWords(finding)).toContain(`${token.length} characters`);
      expect(finding && inWords(finding)).not.toContain(token.trim());
    }
    expect(codes({}, { CLOUDFLARE_API_TOKEN: `${GOOD}\n` })).toEqual(["token_malformed CLOUDFLARE_API_TOKEN"]);
  });
});

describe("an account that cannot be read", () => {
  const reading = async (answer: () => Response | Promise<Response>, readLimit = 5_000) => {
    const api = new Api(
      { baseUrl: "http://api.test/client/v4", token: "t" },
      { fetch: async () => answer(), readLimit },
    );
    const error: unknown = await api.get("/accounts/a/workers/workers").catch((reason: unknown) => reason);
    const finding = unreadable("a", error);
    expect(finding?.code).toBe("account_unreadable");
    return finding ? inWords(finding) : "";
  };
  const refusal =
    (status: number, headers: Record<string, string> = {}) =>
    () =>
      Response.json({ success: false, errors: [{ code: 10000, message: "no" }] }, { status, headers });

  it("is reported with its answer, and what to do", async () => {
    expect(await reading(refusal(503))).toMatch(/answered 503: 10000 no\. Fix: wait.*goes on serving/);
    expect(await reading(refusal(403))).toMatch(/answered 403.*Fix: give a token/);
    expect(await reading(refusal(404))).toMatch(/Fix: see that accountId/);
    expect(await reading(() => Promise.reject(new TypeError("fetch failed")))).toMatch(
      /was not answered.*can be reached/,
    );
    expect(await reading(() => new Response("<p>Sign in</p>", { headers: { "content-type": "text/html" } }))).toMatch(
      /answered 200: with text\/html that is no JSON/,
    );
  });

  it("is given up within the limit, even if it asks for a longer wait", async () => {
    const started = Date.now();
    expect(await reading(refusal(503, { "retry-after": "30" }), 300)).toContain("nothing usable came in time");
    expect(await reading(() => new Promise<Response>(() => {}), 300)).toContain("nothing usable came in time");
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  it("does not hide any other error, which is a bug", () => {
    expect(unreadable("a", new TypeError("x is not a function"))).toBeUndefined();
    expect(ApiError.prototype).toBeInstanceOf(Error);
  });
});

describe("the addresses of a stack", () => {
  const wanted = { workerName: "ours", hostname: "api.example.com", routes: ["example.com/api/*"] };
  const there = (hostname: string | undefined, route: string | undefined) => [
    { kind: "hostname" as const, name: "api.example.com", worker: hostname },
    { kind: "route" as const, name: "example.com/api/*", worker: route },
    { kind: "route" as const, name: "example.com/other/*", worker: "theirs" },
  ];
  const subjects = (...given: Parameters<typeof there>) =>
    takenAddresses(wanted, there(...given)).map(({ code, subject }) => `${code} ${subject}`);

  it("are refused if another Worker has them, and no fix says to remove one that is in use", () => {
    expect(subjects("theirs", "ours")).toEqual(["address_taken hostname api.example.com"]);
    expect(subjects("ours", "theirs")).toEqual(["address_taken route example.com/api/*"]);
    expect(subjects("ours", undefined)).toEqual(["address_taken route example.com/api/*"]);
    const [finding] = takenAddresses(wanted, there("theirs", "ours"));
    expect(finding && inWords(finding)).toMatch(/leads to the Worker theirs.*use another one.*once nobody needs it/);
  });

  it("are free if no Worker has them, or this stack's own", () => {
    expect(subjects("ours", "ours")).toEqual([]);
    expect(takenAddresses(wanted, [])).toEqual([]);
    expect(takenAddresses({ workerName: "ours", routes: [] }, there("theirs", "theirs"))).toEqual([]);
  });
});

describe("a release that is older than what serves", () => {
  const [monday, tuesday] = ["2026-11-23T09:00:00.000Z", "2026-11-24T09:00:00.000Z"];
  const [a, b] = ["a".repeat(64), "b".repeat(64)];
  const version = (number: number, digest: string | undefined, committed: string | undefined): Dated => ({
    number,
    digest,
    committed,
  });
  const against = (committed: string | null, serving: readonly Dated[], allowed?: string) =>
    orderFindings({ stack: "staging", release: { digest: a, committed }, serving, allowed });

  it("is refused with both times, the way back, and the setting that allows it", () => {
    const [finding, ...more] = against(monday, [version(7, b, tuesday)]);
    expect(more).toEqual([]);
    expect(finding && inWords(finding)).toMatch(
      /\[older_release\] release a{12}: .*2026-11-23T09:00:00Z, and version 7 serves release b{12}, committed at 2026-11-24T09:00:00Z.*npm run rollback -- --stack staging.*allowOlderRelease: "a{12}"/,
    );
  });

  it("passes if the stack allows it by its digest, or allows any", () => {
    for (const allowed of ["a".repeat(12), a, "any"]) {
      expect(against(monday, [version(7, b, tuesday)], allowed)).toEqual([]);
    }
    expect(against(monday, [version(7, b, tuesday)], "b".repeat(12))).toHaveLength(1);
  });

  it("is not reported if it is newer, as old, serving already, or of unknown age", () => {
    expect(against(tuesday, [version(7, b, monday)])).toEqual([]);
    expect(against(monday, [version(7, b, monday)])).toEqual([]);
    expect(against(monday, [version(7, a, tuesday)])).toEqual([]);
    expect(against(null, [version(7, b, tuesday)])).toEqual([]);
    expect(against(monday, [version(7, b, undefined)])).toEqual([]);
    expect(against(monday, [])).toEqual([]);
  });

  it("is reported also if the newer one has only begun to serve", () => {
    expect(against(monday, [version(7, a, monday), version(8, b, tuesday)])).toHaveLength(1);
  });
});

describe("a release that was worse", () => {
  const [bad, good] = ["a".repeat(64), "b".repeat(64)];
  const deployment = (serves: Readonly<Record<string, number>>, message = "durable-stack") => ({
    message,
    serves: Object.entries(serves).map(([digest, percentage]) => ({ digest, percentage })),
  });
  const back = deployment({ [good]: 100 }, `durable-stack, ${refusalNote(bad)}, after deployment 7`);
  const against = (settings: object, inAccount: readonly string[]) =>
    refusedFindings({ stack: "production", ...settings }, { digest: bad }, inAccount).map(({ code }) => code);

  it("is tried again by a setting, also in a stack that is pinned, where no rollout begins", () => {
    const [finding] = refusedFindings({ stack: "production" }, { digest: bad }, ["a".repeat(12)]);
    expect(finding?.fix).toMatch(
      /this one again: set allowRefusedRelease: "a{12}"; where the stack is not pinned, .*--again/,
    );
  });

  it("is refused by the deployment that took the traffic back, whatever came after", () => {
    expect(refusedBy([back, deployment({ [bad]: 50, [good]: 50 })])).toEqual(["a".repeat(12)]);
    expect(refusedBy([deployment({ [good]: 100 }), back])).toEqual(["a".repeat(12)]);
    // It was worse at 100 %.
    expect(refusedBy([back, deployment({ [bad]: 100 })])).toEqual(["a".repeat(12)]);
  });
  it("is refused no longer once it has had all traffic since", () => {
    expect(refusedBy([deployment({ [bad]: 50, [good]: 50 }), back])).toEqual(["a".repeat(12)]);
    expect(refusedBy([deployment({ [bad]: 100 }), back])).toEqual([]);
  });
  it("is not refused by a deployment that serves it: its settings were bad", () => {
    const other = deployment({ [bad]: 100 }, `durable-stack, ${refusalNote(bad)}, after deployment 7`);
    expect(refusedBy([other])).toEqual([]);
    expect(refusedBy([deployment({ [good]: 100 }), other, back])).toEqual([]);
  });
  it("is the one that a deployment says to refuse, whichever release has been built meanwhile", () => {
    const built = "c".repeat(64);
    const settings = { refusedReleases: "a".repeat(12) };
    expect(takenBack(settings, built, [bad, good], good)).toBe(bad);
    expect(takenBack(settings, bad, [bad, good], good)).toBe(bad);
    // Something else has taken its traffic already.
    expect(takenBack(settings, bad, [good], good)).toBe(bad);
    expect(takenBack(settings, built, [good], good)).toBeUndefined();
    // It is the settings that are bad: another version of the same release serves on.
    expect(takenBack(settings, bad, [bad, bad], bad)).toBeUndefined();
  });
  it("is found in the settings or the account, and passes where the stack names it", () => {
    expect(against({}, [])).toEqual([]);
    expect(against({}, ["a".repeat(12)])).toEqual(["refused_release"]);
    expect(against({ refusedReleases: "b".repeat(12) }, [])).toEqual([]);
    expect(against({ refusedReleases: "a".repeat(12) }, [])).toEqual(["refused_release"]);
    for (const allowRefusedRelease of ["a".repeat(12), bad, "any"]) {
      expect(against({ allowRefusedRelease }, ["a".repeat(12)])).toEqual([]);
      expect(allRefused({ stack: "production", allowRefusedRelease }, ["a".repeat(12)])).toEqual([]);
    }
    expect(against({ allowRefusedRelease: "b".repeat(12) }, ["a".repeat(12)])).toEqual(["refused_release"]);
  });
});

describe("the version that an update keeps", () => {
  const version = (number: number, letter: string) => ({
    versionId: `v${number}`,
    number,
    tag: `${letter.repeat(12)}-1`,
    digest: letter.repeat(64),
  });
  const kept = (letter: string, versions: readonly ReturnType<typeof version>[], serving: readonly string[]) =>
    keptVersion(
      `${letter.repeat(12)}-1`,
      versions,
      serving.map((versionId) => ({ versionId })),
    )?.number;

  it("is the last uploaded one, or the serving one, but not one of a release that was replaced since", () => {
    const versions = [version(3, "c"), version(2, "b"), version(1, "a")];
    expect(kept("c", versions, ["v3"])).toBe(3);
    expect(kept("c", versions, ["v2"]), "uploaded, without traffic yet").toBe(3);
    expect(kept("b", versions, ["v3", "v2"]), "beside a rollout").toBe(2);
    expect(kept("a", versions, ["v3"]), "made anew when it comes back").toBeUndefined();
    expect(kept("d", versions, ["v3"])).toBeUndefined();
  });
});
