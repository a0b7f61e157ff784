/** Calls of a pattern's routes, to check docs/access.md: test/<pattern>/worker/tries.ts exports them as `tries`. */
import { ADMIN, type Answer, type Call, call } from "./helpers.ts";

/** A call of a route. `missing`: it asks for what does not exist, so whoever may ask gets 404. */
export type Tried = Call & { readonly path: string; readonly missing?: true };
/** Makes a call about a thing of this user. If such a thing has a rule of its own, it gets this rule. */
export type Try = (owner: string, rule: string) => Tried | Promise<Tried>;
export type Tries = Readonly<Record<string, Try>>;

/** Large buckets, because all tests of a user share that user's bucket. */
const rateLimits = { default: { capacity: 100_000, periodSeconds: 60 } };

/** A call to a stack with `access: rules` and `demoLogin`, so that there are guests. */
export const ask = (path: string, { settings, ...more }: Call = {}): Promise<Answer> =>
  call(path, { settings: { access: "rules", demoLogin: true, rateLimits, ...settings }, ...more });
export const askAsAdmin = (path: string, more: Call = {}): Promise<Answer> => ask(path, { ...more, headers: ADMIN });
