/**
 * Whether the smoke test can judge a new version: the address answers, it is the stack's own Worker, and the admin token
 * is good. It is asked of the version that serves already. Else a wrong address or token would look like a bad release.
 */
import * as v from "valibot";
import { type Answer, type Call, Client } from "./client.ts";
import { adviceOn, isUnanswered, reasonOf } from "./reason.ts";
import { IN_ONE_PLACE } from "./verdict.ts";
import { EVERYWHERE_MS, watched } from "./watched.ts";

/** How the command that asks calls what a person may have to correct: `promote` has one of each for two stacks. */
export interface OptionNames {
  readonly url: string;
  readonly adminToken: string;
}

export interface ReadyOptions {
  /** The stack, which a Worker of ours says as its environment. */
  readonly stack: string;
  readonly worker: string;
  /** A version of the deployment that is in force; undefined: none of ours, so that an answer of any kind has to do. */
  readonly version: string | undefined;
  readonly adminToken: string | undefined;
  readonly names: OptionNames;
  /** How long a passing failure is waited for, and a version that was deployed only now. */
  readonly patience?: { readonly answerMs: number; readonly versionMs: number };
}

const PATIENCE = { answerMs: 5_000, versionMs: EVERYWHERE_MS };

/** Releases from before `version` do not say it. */
const Health = v.object({ environment: v.string(), version: v.optional(v.string()) });
/** What of the API's description says who may call a route. */
const Routes = v.object({
  paths: v.record(
    v.string(),
    v.object({ get: v.optional(v.object({ "x-access": v.optional(v.object({ rule: v.string() })) })) }),
  ),
});

/** The header that asks for a version of a Worker by its id. */
export const askFor = (worker: string, version: string): Readonly<Record<string, string>> => ({
  "Cloudflare-Workers-Version-Overrides": `${worker}="${version}"`,
});

/** Why the smoke test cannot judge, as far as that makes a difference. */
export type Obstacle =
  | "not answered"
  /** Something answers that is no Worker of ours. */
  | "another site"
  | "another stack"
  | "another version"
  /** What answers may well be the version, and fails: 5xx, or JSON that is another than a /health of ours. */
  | "failing"
  | "token refused";

/** Whether the smoke test can judge; where it cannot, `why` says what to do. */
export type Readiness =
  /** `takesToken`: whether the version is known to take the admin token. */
  { readonly isReady: true; readonly takesToken: boolean } | NotReady;

export interface NotReady {
  readonly isReady: false;
  readonly because: Obstacle;
  readonly why: string;
}

/** Whether the smoke test can judge at `url`. */
export async function readiness(url: URL, options: ReadyOptions): Promise<Readiness> {
  const { worker, version, adminToken, patience = PATIENCE } = options;
  const client = new Client(url, version === undefined ? {} : askFor(worker, version));
  const limitOf = ({ because }: NotReady) => (because === "another version" ? patience.versionMs : patience.answerMs);
  const wrong = await watched(
    () => look(client, options),
    (seen, elapsedMs) => seen === undefined || elapsedMs >= limitOf(seen),
  );
  if (wrong) return wrong;
  if (version === undefined || adminToken === undefined) return { isReady: true, takesToken: false };
  return watched(
    () => tryToken(client, adminToken, options.names),
    (seen, elapsedMs) => seen.isReady || seen.because !== "not answered" || elapsedMs >= patience.answerMs,
  );
}

/** Waits while the admin token is refused: a version that takes a new one may not be everywhere yet. */
export async function tokenTaken(client: Client, adminToken: string, patienceMs: number): Promise<void> {
  const names = { url: "", adminToken: "" };
  await watched(
    () => tryToken(client, adminToken, names),
    (seen, elapsedMs) => seen.isReady || seen.because !== "token refused" || elapsedMs >= patienceMs,
  );
}

/** Whether anything answers GET /health at `url`, however. */
export async function isAnswered(url: URL, patienceMs = PATIENCE.answerMs): Promise<boolean> {
  const client = new Client(url);
  const look = () =>
    client.call("/health").then(
      () => true,
      (error: unknown) => !isUnanswered(error),
    );
  return watched(look, (isThere, elapsedMs) => isThere || elapsedMs >= patienceMs);
}

/** What is wrong with the address. */
async function look(client: Client, { stack, version, names }: ReadyOptions): Promise<NotReady | undefined> {
  const wrong = (because: Obstacle, why: string) => notReady(client, because, why);
  const correct = `Correct ${names.url}, or the stack's hostname.`;
  let answer: Answer;
  try {
    answer = await client.call("/health");
  } catch (error) {
    return isUnanswered(error)
      ? wrong("not answered", `GET /health is not answered: ${reasonOf(error)}. ${adviceOn(error, names.url)}`)
      : wrong("failing", `the answer of GET /health cannot be read: ${reasonOf(error)}. ${correct}`);
  }
  if (version === undefined) return undefined;
  const health = v.safeParse(Health, answer.body);
  if (answer.status !== 200 || !health.success) {
    const isJson = answer.status === 200 && typeof answer.body === "object";
    return wrong(
      answer.status >= 500 || isJson ? "failing" : "another site",
      `GET /health is answered ${answer.status}, and not as this stack's Worker does. ${correct}`,
    );
  }
  const { environment, version: answers } = health.output;
  if (environment !== stack) {
    return wrong(
      "another stack",
      `the Worker of ${environment} answers, and not that of ${stack}. Correct ${names.url}.`,
    );
  }
  if (answers === undefined || answers === version) return undefined;
  return wrong(
    "another version",
    `version ${answers} answers, where ${version} serves and was asked for by name. Is it another Worker's address, or does something keep answers of /health?`,
  );
}

const notReady = (client: Client, because: Obstacle, why: string): NotReady => ({
  isReady: false,
  because,
  why: `${client.base.href}: ${why}`,
});

/** Whether the version takes the token. It is tried where nobody without one may; where there is no such route, nowhere. */
async function tryToken(client: Client, token: string, names: OptionNames): Promise<Readiness> {
  let asked = "/openapi.json";
  const wrong = (because: Obstacle, why: string) => notReady(client, because, why);
  const statusOf = async (call: Pick<Call, "token"> = {}): Promise<number> => {
    const { status, body } = await client.answer(asked, call);
    // It may be long, and is of no interest.
    await body?.cancel();
    return status;
  };
  /** What an answer that says nothing of the token says. */
  const untried = (status: number) =>
    status === 429
      ? wrong(
          "not answered",
          `the admin token could not be tried: GET ${asked} is answered 429. Wait until the rate limiter lets calls from here through, then run it again.`,
        )
      : wrong(
          "failing",
          `the admin token could not be tried: GET ${asked} is answered ${status}. \`npm run smoke\` says what else is wrong with what serves.`,
        );
  try {
    const { status: described, body } = await client.call(asked);
    if (isUnclear(described)) return untried(described);
    for (const path of guardedPaths(body)) {
      asked = path;
      if ((await statusOf()) !== 401) continue;
      const status = await statusOf({ token });
      if (isUnclear(status)) return untried(status);
      if (status !== 401 && status !== 403) return { isReady: true, takesToken: true };
      return wrong(
        "token refused",
        `GET ${path} with the admin token is answered ${status}. Give this stack's token as ${names.adminToken}; while it is rotated, the one before, which both versions take. ${IN_ONE_PLACE}`,
      );
    }
    return { isReady: true, takesToken: false };
  } catch (error) {
    const why = `the admin token could not be tried: GET ${asked} ${isUnanswered(error) ? "is not answered" : "has an answer that cannot be read"}: ${reasonOf(error)}.`;
    return isUnanswered(error)
      ? wrong("not answered", `${why} ${adviceOn(error, names.url)}`)
      : wrong("failing", `${why} \`npm run smoke\` says what else is wrong with what serves.`);
  }
}

/** The paths that only the admin token may read, by the API's description; none where it is no such description. */
function guardedPaths(description: unknown): readonly string[] {
  const routes = v.safeParse(Routes, description);
  return Object.entries(routes.success ? routes.output.paths : {}).flatMap(([path, { get }]) =>
    get?.["x-access"]?.rule === "admin" ? [path.replaceAll(/\{[^}]*\}/g, "smoke")] : [],
  );
}

/** Whether a status tells nothing of who may call: the rate limiter stands before the rules, and 5xx may be anything. */
const isUnclear = (status: number): boolean => status === 429 || status >= 500;
