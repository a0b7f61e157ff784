/** What was counted of a version: which failures pass, which are the token's, and which are neither. */
import { describe, expect, it } from "vitest";
import { isUserError } from "../../infra/common/user-error.ts";
import { Api } from "../../infra/provider/api.ts";
import { NO_EXTRAS } from "../../infra/release/extras.ts";
import { mustBeCountable } from "../../infra/rollout/compare/countable.ts";
import { isPassing, isUnlogged, loggedNow, numbersOf } from "../../infra/rollout/compare/numbers.ts";

const window = { accountId: "0".repeat(32), script: "w", from: 0, to: 60_000 };
const quantiles = { wallTimeP50: 5_000 };
const METRICS = {
  data: {
    viewer: { accounts: [{ workersInvocationsAdaptive: [{ sum: { requests: 10, errors: 1 }, quantiles }] }] },
  },
};
const COUNTS = { success: true, result: { calculations: [{ aggregates: [{ value: 2 }] }] } };

/** An API that gives these answers. `counts` gets its question. */
function apiOf(
  metrics: () => Response,
  counts: (question: string) => Response,
  settings: () => Response = () => observing({ enabled: true }),
): Api {
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    const request = new Request(input, init);
    if (request.url.endsWith("/script-settings")) return settings();
    return request.url.endsWith("/graphql") ? metrics() : counts(await request.text());
  };
  return new Api({ baseUrl: "http://127.0.0.1/client/v4", token: "token" }, { fetch });
}
/** What is counted of a version, and how many of its answers are logged; or why not. */
async function ask(...answers: Parameters<typeof apiOf>): Promise<unknown> {
  const api = apiOf(...answers);
  try {
    const [numbers, logged] = await Promise.all([numbersOf(api, window, "v-1"), loggedNow(api, window)]);
    return { ...numbers, logged };
  } catch (error) {
    return error;
  }
}
const observing = (observability: unknown) => json({ success: true, result: { observability } });
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

  it.each([
    [{ enabled: false }, "observability.enabled is not true"],
    [{ enabled: true, logs: { enabled: false } }, "observability.logs.enabled is false"],
    [{ enabled: true, logs: { enabled: true, invocation_logs: false } }, "observability.logs.invocation_logs is false"],
    [{ enabled: true, logs: { enabled: true, persist: false } }, "observability.logs.persist is false"],
    [{ enabled: true, head_sampling_rate: 0 }, "observability.head_sampling_rate is 0"],
  ])("is not taken for no error where no answer is logged: %j", async (observability, why) => {
    const error = await ask(good.metrics, good.counts, () => observing(observability));
    expect([isUserError(error), isPassing(error), isUnlogged(error)]).toEqual([true, false, true]);
    expect(String(error)).toContain(`Answers with 5xx cannot be counted: no log of w has them, because ${why}.`);
  });

  it.each([
    [{ enabled: true }, 1],
    [{ enabled: false, logs: { enabled: true } }, 1],
    [{ enabled: true, head_sampling_rate: 0.5 }, 0.5],
    [{ enabled: true, head_sampling_rate: 0.5, logs: { enabled: true, head_sampling_rate: 1 } }, 1],
  ])("says how many answers are logged: %j", async (observability, share) => {
    const numbers = await ask(good.metrics, good.counts, () => observing(observability));
    expect(numbers).toMatchObject({ errors: 3, logged: { share } });
  });
});

describe("before a rollout", () => {
  const begin = async (live: unknown, observability?: (typeof NO_EXTRAS)["observability"]) => {
    const said: string[] = [];
    const release = observability ? { extras: { ...NO_EXTRAS, observability } } : {};
    const api = apiOf(good.metrics, good.counts, () => observing(live));
    const options = { release, say: (line: string) => void said.push(line) };
    const failure = await mustBeCountable(api, window, "v-1", options).catch((error: unknown) => error);
    return { said: said.join("\n"), failure };
  };

  it("nothing is said where every answer is logged", async () => {
    expect(await begin({ enabled: true })).toEqual({ said: "", failure: undefined });
  });

  it("a release that turns the logs off is refused, because all that failed would look well", async () => {
    const { failure } = await begin({ enabled: true }, { enabled: true, logs: { invocation_logs: false } });
    expect(isUserError(failure)).toBe(true);
    expect(String(failure)).toMatch(/in wrangler\.jsonc observability\.logs\.invocation_logs is false.*rolloutSteps/);
  });

  it("it is said that the logs are off now, and that is no obstacle: this release may turn them on", async () => {
    const { said, failure } = await begin({ enabled: false });
    expect([said, failure]).toEqual([
      expect.stringMatching(/^Warning: .*observability\.enabled is not true/),
      undefined,
    ]);
  });

  it.each([
    [{ enabled: true, head_sampling_rate: 0.1 }, undefined],
    [{ enabled: true }, { enabled: true, head_sampling_rate: 0.1 }],
  ])("it is said that only some answers are counted: live %j, release %j", async (observability, own) => {
    const { said, failure } = await begin(observability, own);
    expect(failure).toBeUndefined();
    expect(said).toMatch(/^Warning: observability\.head_sampling_rate is 0\.1, .* only 10 % are counted/);
  });
});
