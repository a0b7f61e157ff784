/** Why something of the smoke test failed, and whether that says anything about the Worker. */

import { codeOf } from "../common/errors.ts";
import { EdgeAnswer } from "./edge.ts";
import { StatusError } from "./expect.ts";

/** The reason in words. A failed `fetch` hides its own in the cause, of which an AggregateError has a code and no words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  return cause instanceof Error ? `${message}: ${cause.message || codeBehind(error)}` : message;
}

/**
 * Why a failure may be no fault of the Worker: nothing answered, the edge answered in its place, or the admin token was
 * refused (401, 403).
 */
export type Blind = "not reached" | "edge answered" | "token refused";

/** Undefined: the Worker has answered, and wrongly, as where it refuses a call without a token or a session's. */
export function blindness(error: unknown, adminToken: string | undefined): Blind | undefined {
  if (error instanceof StatusError && (error.status === 401 || error.status === 403)) {
    return adminToken !== undefined && error.token === adminToken ? "token refused" : undefined;
  }
  if (error instanceof EdgeAnswer) return "edge answered";
  return isUnanswered(error) ? "not reached" : undefined;
}

/** Whether a check was lost on its way: another try may well be answered by the Worker. */
export const isLost = (blind: Blind | undefined): boolean => blind === "not reached" || blind === "edge answered";

/** Whether no answer of the Worker came, or none in time. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // `fetch` throws a TypeError with a cause where it has no answer; what waits too long, an error of this name.
  const hasNone = (error instanceof TypeError && error.cause instanceof Error) || error.name === "TimeoutError";
  return hasNone || error instanceof EdgeAnswer;
}

/** What to do where no answer of the Worker came. `url`: how the command calls the address. */
export const adviceOn = (error: unknown, url: string): string =>
  `${lostBecause(error)} Correct ${url}, or the stack's hostname.`;

/** Why no answer of the Worker came, in a sentence, and what helps. */
export function lostBecause(error: unknown): string {
  if (error instanceof EdgeAnswer)
    return "The address leads to an origin server and not to the Worker: look at its route or custom domain.";
  const code = codeBehind(error);
  if (/^(ENOTFOUND|EAI_AGAIN)$/.test(code) && /\.localhost\b/.test(textOf(error))) {
    return "This system does not look up names under localhost: add the name to /etc/hosts, with 127.0.0.1.";
  }
  return ADVICE.find(([codes]) => codes.test(code))?.[1] ?? `${LINE}.`;
}

const LINE = "Look at what is between here and the Worker, such as a proxy or a firewall, and run it again";

/** By the code of the error: what Node and OpenSSL call it. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^(ENOTFOUND|EAI_AGAIN)$/, "DNS does not know the host name: one that is new takes minutes."],
  [/^ECONNREFUSED$/, "The connection was refused: no server listens at that host and port."],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, `The connection was cut. ${LINE}.`],
  [/TIMEOUT|^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/, `No answer came in time. ${LINE}.`],
  [
    /CERT|SSL|TLS|SIGNATURE|^EPROTO$/,
    "TLS failed: the certificate of a new host name takes minutes. Where a proxy opens TLS, name its certificate in NODE_EXTRA_CA_CERTS.",
  ],
];

/** What the system said of the address. */
const textOf = (error: unknown): string => (error instanceof Error ? String(error.cause ?? error) : "");

/** The code of what is behind an error, in capitals; a code of our own where it waited too long. */
function codeBehind(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if (error.name === "TimeoutError") return "TIMEOUT";
  const { cause = error } = error;
  return codeOf(cause) ?? "";
}
