/** What is told before anything is sent: credentials, and an account that cannot be read. */
import { describe as inWords } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { takenAddresses } from "../../infra/plan/addresses.ts";
import { credentialFindings } from "../../infra/plan/credentials.ts";
import { unreadable } from "../../infra/plan/unreadable.ts";
import { Api, Refusal } from "../../infra/provider/api.ts";

const GOOD = "aB3-_".repeat(9);

describe("the provider's credentials", () => {
  const codes = (config: Record<string, string>, env: Record<string, string> = {}) =>
    credentialFindings(config, env).map(({ code, subject }) => `${code} ${subject}`);

  it("are a token, in the config or the environment, or what Cloudflare had before tokens", () => {
    expect(codes({ "cloudflare:apiToken": GOOD })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_TOKEN: GOOD })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_TOKEN: "any-token-that-a-header-can-carry" })).toEqual([]);
    expect(codes({}, { CLOUDFLARE_API_KEY: "k", CLOUDFLARE_EMAIL: "a@example.com" })).toEqual([]);
    expect(codes({ "cloudflare:apiUserServiceKey": "k" })).toEqual([]);
  });

  it("are missed where there are none, or half of them", () => {
    for (const env of [{}, { CLOUDFLARE_API_TOKEN: "" }, { CLOUDFLARE_API_KEY: "k" }]) {
      expect(codes({}, env)).toEqual(["token_missing CLOUDFLARE_API_TOKEN"]);
    }
  });

  it("are named by what is wrong with them, and never shown", () => {
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

  it("is told with what it answered, and what to do about that", async () => {
    expect(await reading(refusal(503))).toMatch(/answered 503: 10000 no\. Fix: wait.*goes on serving/);
    expect(await reading(refusal(403))).toMatch(/answered 403.*Fix: give a token/);
    expect(await reading(refusal(404))).toMatch(/Fix: see that accountId/);
    expect(await reading(() => Promise.reject(new TypeError("refused")))).toMatch(/was not answered.*can be reached/);
  });

  it("is given up within the limit, however long it wants to be waited for", async () => {
    const started = Date.now();
    expect(await reading(refusal(503, { "retry-after": "30" }), 300)).toContain("nothing usable within 0.3 s");
    expect(await reading(() => new Promise<Response>(() => {}), 300)).toContain("nothing usable within 0.3 s");
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it("is not made of any other error, which is a bug", () => {
    expect(unreadable("a", new TypeError("x is not a function"))).toBeUndefined();
    expect(Refusal.prototype).toBeInstanceOf(Error);
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

  it("are refused where another Worker has them, and nobody is told to take one away that is in use", () => {
    expect(subjects("theirs", "ours")).toEqual(["address_taken hostname api.example.com"]);
    expect(subjects("ours", "theirs")).toEqual(["address_taken route example.com/api/*"]);
    expect(subjects("ours", undefined)).toEqual(["address_taken route example.com/api/*"]);
    const [finding] = takenAddresses(wanted, there("theirs", "ours"));
    expect(finding && inWords(finding)).toMatch(/leads to the Worker theirs.*use another one.*once nobody needs it/);
  });

  it("are free where nobody has them, or this stack's own Worker", () => {
    expect(subjects("ours", "ours")).toEqual([]);
    expect(takenAddresses(wanted, [])).toEqual([]);
    expect(takenAddresses({ workerName: "ours", routes: [] }, there("theirs", "theirs"))).toEqual([]);
  });
});
