/** What the families of calls share: given to them by the API that is made of them. */
import type { Account } from "../account.ts";
import type { Calls } from "../calls.ts";
import type { Invocations } from "../invocations.ts";

/** What the families need. */
export interface Api {
  readonly account: Account;
  readonly calls: Calls;
  readonly invocations: Invocations;
  /** Address at which a Worker answers on the account's subdomain. */
  readonly addressOf: (worker: string) => string;
}
