/** Why an account cannot be read, in words: without a plan, nothing is sent. */

import { firstLine } from "../../common/user-error.ts";
import { ApiError, fixOfRead } from "../../provider/api.ts";
import type { Finding } from "../rules/codes.ts";

/** The finding about a read that failed; undefined where the error is something else, and a bug. */
export function unreadable(accountId: string, error: unknown): Finding | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return {
    code: "account_unreadable",
    subject: `account ${accountId}`,
    message: `what is live cannot be read, and without that there is no plan. ${firstLine(error.message)}.`,
    fix: fixOfRead(error.status),
  };
}
