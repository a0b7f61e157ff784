/** What was counted of a version: which failures pass, which are the token's, and which are neither. */
import { describe, expect, it } from "vitest";
import { Api } from "../../infra/provider/api.ts";
import { isPassing, numbersOf } from "../../infra/rollout/numbers.ts";
import { isUserError } from "../../infra/stack/user-error.ts";

const window = { accountId: "0".repeat(32), script: "w", from: 0, to: 60_000 };
const quantiles = { wallTimeP50: 5_000 };
const METRICS = {
  data: {
    viewer: { accounts: [{ workersInvocationsAdaptive: [{ sum: { requests: 10, errors: 1 }, quantiles }] }] },
  },
};
const COUNTS = { success: true, result: { calculations: [{ aggregates: [{ value: 2 }] }] } };

/** Asks an API that gives these answers. `counts` gets its question. */
async function ask(metrics: () => Response, counts: (question: string) => Response) {
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    const request = new Request(input, init);
    return request.url.endsWith("/graphql") ? metrics() : counts(await request.text());
  };
  const api = new Api({ baseUrl: "http://127.0.0.1/client/v4", token: "token" }, { fetch });
  return numbersOf(api, window, "v-1").catch((error: unknown) => error);
}
const json = (body: unknown, code = 200) => Response.json(body, { status: code });
const failure = (code: number) => json({ success: false, errors: [{ code: 1, message: "as the test asked" }] }, code);
const graphql = (message: string) => json({ data: null, errors: [{ message }] });
const unreached = (): Response => {
  throw new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") });
};
const good = { metrics: () => json(METRICS), counts: () => json(COUNTS) };

describe("what was counted", () => {
  it("is exceptions and answers with 5xx together", async () => {
    expect(await ask(good.metrics, good.counts)).toMatchObject({ requests: 10, errors: 3 });
  });

  it("has each exception once, though the logs may have it as an answer with 500, too", async () => {
    let asked = "";
    await ask(good.metrics, (question) => {
      asked = question;
      return good.counts();
    });
    expect(JSON.parse(asked).parameters.filters).toContainEqual(
      expect.objectContaining({ key: "$workers.outcome", operation: "eq", value: "ok" }),
    );
  });

  it.each([
    ["a refused token", () => failure(403), /was answered 403.*The token needs Account Analytics: read\.$/, false],
    ["a refused account", () => graphql("not authorized for that account"), /The token needs Account Anal/, false],
    ["a spent budget", () => graphql("rate limiter budget depleted"), /budget depleted\.$/, true],
    ["another question than it takes", () => graphql('unknown field "x"'), /unknown field "x"\.$/, false],
    ["nonsense", () => json({ hello: "there" }), /the answer is not as documented\.$/, false],
  ] as const)("cannot be read of the metrics after %s", async (_, metrics, why, passes) => {
    const error = await ask(metrics, good.counts);
    expect([isUserError(error), isPassing(error)]).toEqual([true, passes]);
    expect(String(error)).toMatch(why);
  });

  it.each([
    ["a refused token", () => failure(401), /was answered 401.*The token needs Workers Observability: read\.$/, false],
    ["too many questions", () => failure(429), /was answered 429[^T]*$/, true],
    ["an outage", () => failure(503), /was answered 503[^T]*$/, true],
    ["no answer", unreached, /was not answered: ECONNREFUSED\.$/, true],
    ["nonsense", () => json({ success: true, result: [] }), /the answer is not as documented\.$/, false],
  ] as const)("cannot be read of the logs after %s", async (_, counts, why, passes) => {
    const error = await ask(good.metrics, counts);
    expect([isUserError(error), isPassing(error)]).toEqual([true, passes]);
    expect(String(error)).toMatch(why);
  });
});
