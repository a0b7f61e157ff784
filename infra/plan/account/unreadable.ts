/** Why an account cannot be read, in words: without a plan, nothing is sent. */

import { firstLine } from "../../common/user-error.ts";
import { ApiError } from "../../provider/api.ts";
import type { Finding } from "../rules/codes.ts";

/** The finding about a read that failed; undefined where the error is something else, and a bug. */
export function unreadable(accountId: string, error: unknown): Finding | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return {
    code: "account_unreadable",
    subject: `account ${accountId}`,
    message: `what is live cannot be read, and without that there is no plan. ${firstLine(error.message)}.`,
    fix: fixOf(error),
  };
}

function fixOf({ status }: ApiError): string {
  if (status === undefined) return "see that the API can be reached from here, then run it again.";
  if (status === 429) return "wait some minutes, then run it again: the API takes only so many requests.";
  if (status >= 500) {
    return "wait, and run it again when https://www.cloudflarestatus.com says that the API is well; what is live goes on serving.";
  }
  if (status === 401 || status === 403 || status === 400) {
    return "give a token that is valid and may read this account's Workers, and see that accountId is the account it is for.";
  }
  return "see that accountId is the right one, and that the token is for it.";
}
