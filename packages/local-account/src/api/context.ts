/** What the families of calls share. The API passes it to each of them. */
import type { Account } from "../account.ts";
import type { ApiCalls } from "../api-calls.ts";
import type { Invocations } from "../invocations.ts";

/** The parts of the account that the families need. */
export interface Api {
  readonly account: Account;
  /** The account's directory. */
  readonly dir: string;
  readonly calls: ApiCalls;
  readonly invocations: Invocations;
  /** The address of a Worker on the account's subdomain. */
  readonly addressOf: (worker: string) => string;
}
