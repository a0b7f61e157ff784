/** How the routes of a pattern are tried for docs/access.md: test/<pattern>/worker/tries.ts has them as `tries`. */
import { ADMIN, type Answer, type Call, call } from "./helpers.ts";

/** A call, on a thing that is this user's; where the thing has a rule of its own, on one with this rule. */
export type Try = (owner: string, rule: string) => (Call & { path: string }) | Promise<Call & { path: string }>;
export type Tries = Readonly<Record<string, Try>>;

/** What every caller may try often: a user's bucket is one, from wherever they call. */
const rateLimits = { default: { capacity: 100_000, periodSeconds: 60 } };

/** A call to a stack that goes by its rules; guests are welcome, so that there is one. */
export const ask = (path: string, { settings, ...more }: Call = {}): Promise<Answer> =>
  call(path, { settings: { access: "rules", demoLogin: true, rateLimits, ...settings }, ...more });
export const askAsAdmin = (path: string, more: Call = {}): Promise<Answer> => ask(path, { ...more, headers: ADMIN });
