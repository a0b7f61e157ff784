/** What was counted of a version: which failures pass, which are the token's, and which are neither. */
import { describe, expect, it } from "vitest";
import { isUserError } from "../../infra/common/user-error.ts";
import { Api } from "../../infra/provider/api.ts";
import { NO_EXTRAS } from "../../infra/release/extras.ts";
import { mustBeCountable } from "../../infra/rollout/compare/countable.ts";
import { isPassing, isUnlogged, loggedNow, numbersOf } from "../../infra/rollout/compare/numbers.ts";

const window = { accountId: "0".repeat(32), script: "w", from: 0, to: 60_000 };

/** An event in the logs, by its keys. */
type Event = Readonly<Record<string, string | number>>;
/** What the Worker's code was called for, of the version that is asked for. */
const INVOCATION: Event = {
  "$workers.scriptName": "w",
  "$workers.scriptVersion.id": "v-1",
  "$workers.executionModel": "stateless",
  "$workers.outcome": "ok",
  "$workers.event.response.status": 200,
  "$workers.wallTimeMs": 5,
  "$metadata.type": "cf-worker-event",
};
const EXCEPTION = { ...INVOCATION, "$workers.outcome": "exception", "$workers.event.response.status": 500 };
const UNAVAILABLE = { ...INVOCATION, "$workers.event.response.status": 503 };
const times = (count: number, event: Event): readonly Event[] => Array.from({ length: count }, () => event);

interface Question {
  readonly parameters: {
    readonly filters: readonly { readonly key: string; readonly operation: string; readonly value: string | number }[];
    readonly calculations: readonly { readonly operator: string; readonly alias: string }[];
  };
}

const OPERATIONS: Readonly<Record<string, (actual: string | number, value: string | number) => boolean>> = {
  eq: (actual, value) => actual === value,
  neq: (actual, value) => actual !== value,
  gte: (actual, value) => actual >= value,
};

/** What the query answers of these events. `interval`: so many stand behind each that was kept; `level`: that was read. */
function logsOf(events: readonly Event[], { interval = 1, level = 1 } = {}): (question: string) => Response {
  return (text) => {
    const { parameters }: Question = JSON.parse(text);
    const found = events.filter((event) =>
      parameters.filters.every(({ key, operation, value }) => {
        const actual = event[key];
        return actual !== undefined && (OPERATIONS[operation]?.(actual, value) ?? false);
      }),
    );
    const calculations = parameters.calculations.map(({ operator, alias }) => {
      const value = operator === "count" ? found.length * interval * level : found[0]?.["$workers.wallTimeMs"];
      return {
        calculation: operator,
        alias,
        aggregates: found.length === 0 ? [] : [{ value, count: found.length, sampleInterval: interval }],
      };
    });
    return json({ success: true, result: { calculations, statistics: { abr_level: level } } });
  };
}

/** An API whose logs and settings answer so. Its GraphQL knows no versions, as Cloudflare's guide has none. */
function apiOf(logs: (question: string) => Response, settings = () => observing({ enabled: true })): Api {
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    const request = new Request(input, init);
    if (request.url.endsWith("/script-settings")) return settings();
    if (request.url.endsWith("/graphql"))
      return json({ data: null, errors: [{ message: "unknown arg scriptVersion" }] });
    return logs(await request.text());
  };
  return new Api({ baseUrl: "http://127.0.0.1/client/v4", token: "token" }, { fetch });
}
/** What is counted of a version, and how many of its requests are logged; or why not. */
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
const unreached = (): Response => {
  throw new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") });
};
const good = logsOf([...times(8, INVOCATION), EXCEPTION, UNAVAILABLE]);

describe("what was counted", () => {
  it("is requests, and as errors exceptions and answers with 5xx, where no metrics tell versions apart", async () => {
    expect(await ask(good)).toMatchObject({ requests: 10, errors: 2 });
  });

  it("has each request once, whatever its code writes, and whatever an object answers to it", async () => {
    const line = { ...UNAVAILABLE, "$metadata.type": "cf-worker" };
    const object = { ...UNAVAILABLE, "$workers.executionModel": "durableObject" };
    const others = [line, object, { ...object, "$workers.outcome": "exception" }];
    expect(await ask(logsOf([INVOCATION, UNAVAILABLE, ...others]))).toMatchObject({ requests: 2, errors: 1 });
  });

  it("has no other version's, and none of another Worker", async () => {
    const others = [
      { ...UNAVAILABLE, "$workers.scriptVersion.id": "v-2" },
      { ...UNAVAILABLE, "$workers.scriptName": "x" },
    ];
    expect(await ask(logsOf([INVOCATION, ...others]))).toMatchObject({ requests: 1, errors: 0 });
  });

  it.each([
    ["canceled", 0],
    ["responseStreamDisconnected", 0],
    ["exceededCpu", 1],
    ["exceededMemory", 1],
    ["unknown", 1],
  ])("takes a request that ended with %s for %d errors", async (outcome, errors) => {
    const { "$workers.event.response.status": _, ...unanswered } = INVOCATION;
    const ended = { ...unanswered, "$workers.outcome": outcome };
    expect(await ask(logsOf([INVOCATION, ended]))).toMatchObject({ requests: 2, errors });
  });

  it("has the wall time in milliseconds, by quantile", async () => {
    expect(await ask(good)).toMatchObject({ wall: [0.25, 0.5, 0.75, 0.9, 0.99].map((share) => [share, 5]) });
  });

  it.each([
    ["stored", { interval: 10 }],
    ["read", { level: 10 }],
    ["stored and read", { interval: 5, level: 2 }],
  ])(
    "is only what was kept where the logs are sampled when they are %s, not an estimate of all",
    async (_, sampling) => {
      const events = [...times(90, INVOCATION), ...times(5, EXCEPTION), ...times(5, UNAVAILABLE)];
      expect(await ask(logsOf(events, sampling))).toMatchObject({ requests: 100, errors: 10 });
    },
  );

  it("has requests and errors in one scale where only some of the questions are answered from a part", async () => {
    const events = [...times(80, INVOCATION), ...times(20, UNAVAILABLE)];
    const exact = logsOf(events);
    // All requests are read from one of ten: of the 100 there were, 10.
    const part = logsOf([...times(8, INVOCATION), ...times(2, UNAVAILABLE)], { level: 10 });
    const isAll = (question: string) => question.includes("median");
    expect(await ask((question) => (isAll(question) ? part : exact)(question))).toMatchObject({
      requests: 10,
      errors: 2,
    });
  });

  it("is nothing where nothing is logged yet", async () => {
    expect(await ask(logsOf([]))).toMatchObject({ requests: 0, errors: 0 });
  });

  it.each([
    [
      "a refused token",
      () => failure(401),
      /was answered 401.*The token needs Workers Observability: read, or edit where read is refused\.$/,
      false,
    ],
    ["too many questions", () => failure(429), /was answered 429[^T]*$/, true],
    ["an outage", () => failure(503), /was answered 503[^T]*$/, true],
    ["no answer", unreached, /was not answered: ECONNREFUSED\.$/, true],
    ["nonsense", () => json({ success: true, result: [] }), /the answer is not as documented\.$/, false],
    [
      "an answer to another question",
      () => json({ success: true, result: { calculations: [{ calculation: "sum", aggregates: [] }] } }),
      /the answer is not as documented\.$/,
      false,
    ],
  ] as const)("cannot be read after %s", async (_, logs, why, passes) => {
    const error = await ask(logs);
    expect([isUserError(error), isPassing(error)]).toEqual([true, passes]);
    expect(String(error)).toMatch(why);
    expect(String(error)).toContain("The requests of w cannot be counted: ");
  });

  it.each([
    [{ enabled: false }, "observability.enabled is not true"],
    [{ enabled: true, logs: { enabled: false } }, "observability.logs.enabled is false"],
    [{ enabled: true, logs: { enabled: true, invocation_logs: false } }, "observability.logs.invocation_logs is false"],
    [{ enabled: true, logs: { enabled: true, persist: false } }, "observability.logs.persist is false"],
    [{ enabled: true, head_sampling_rate: 0 }, "observability.head_sampling_rate is 0"],
  ])("is not taken for no traffic where no request is logged: %j", async (observability, why) => {
    const error = await ask(good, () => observing(observability));
    expect([isUserError(error), isPassing(error), isUnlogged(error)]).toEqual([true, false, true]);
    expect(String(error)).toContain(`The requests of w cannot be counted: no log has them, because ${why}.`);
  });

  it.each([
    [{ enabled: true }, 1],
    [{ enabled: false, logs: { enabled: true } }, 1],
    [{ enabled: true, head_sampling_rate: 0.5 }, 0.5],
    [{ enabled: true, head_sampling_rate: 0.5, logs: { enabled: true, head_sampling_rate: 1 } }, 1],
  ])("says how many requests are logged: %j", async (observability, share) => {
    const numbers = await ask(good, () => observing(observability));
    expect(numbers).toMatchObject({ errors: 2, logged: { share } });
  });
});

describe("before a rollout", () => {
  const begin = async (live: unknown, observability?: (typeof NO_EXTRAS)["observability"]) => {
    const said: string[] = [];
    const release = observability ? { extras: { ...NO_EXTRAS, observability } } : {};
    const api = apiOf(good, () => observing(live));
    const options = { release, say: (line: string) => void said.push(line) };
    const failure = await mustBeCountable(api, window, "v-1", options).catch((error: unknown) => error);
    return { said: said.join("\n"), failure };
  };

  it("nothing is said where every request is logged", async () => {
    expect(await begin({ enabled: true })).toEqual({ said: "", failure: undefined });
  });

  it("a release that turns the logs off is refused, because nothing could be compared", async () => {
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
  ])("it is said that only some requests are counted: live %j, release %j", async (observability, own) => {
    const { said, failure } = await begin(observability, own);
    expect(failure).toBeUndefined();
    expect(said).toMatch(
      /^Warning: observability\.head_sampling_rate is 0\.1, .* only 10 % are counted, and a step needs 10 times/,
    );
  });
});
