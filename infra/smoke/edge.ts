/** Answers that Cloudflare's edge gives in a Worker's place. */

/** The edge has answered: it looked for an origin server, and a Worker has none. */
export class EdgeAnswer extends Error {
  override readonly name = "EdgeAnswer";
}

/**
 * Whether a status is one that the edge gives for trouble with an origin server (521 to 527, and 530 with a 1XXX error in
 * its page). What a Worker does wrong has others: 1101 (an exception) comes with 500, 1102 (too much CPU time or memory)
 * with 503. 520 is not of them: it stands for an answer that the edge cannot take, too, such as one with headers over
 * 128 KB, and a Worker can make that.
 */
export const isOfEdge = (status: number): boolean => (status >= 521 && status <= 527) || status === 530;
