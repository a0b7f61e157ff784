/** What chat rooms cost. What rooms send to clients is free, and so is a socket while nothing is said (hibernation). */
import type { PatternCost } from "../../infra/cost/operation.ts";

/** Each socket connects anew once a day. */
const JOINS_PER_MONTH = 30;
/**
 * Where two to a hundred are, an alarm looks for who is not there any more: 45 seconds after the oldest sign of life,
 * which is 20 seconds old where everybody pings as our client does.
 */
const LOOKS_PER_MONTH = (30 * 86_400) / (45 - 20);

export const cost = {
  operations: {
    message: {
      option: "messages",
      says: "messages that clients say in rooms",
      calls: 0,
      messages: 1,
      ours: 1.1,
      articles: 1,
    },
    company: {
      option: "rooms",
      says: "rooms where two or more are, day and night",
      calls: 0,
      ours: LOOKS_PER_MONTH,
      articles: 0,
    },
    socket: {
      option: "sockets",
      says: "sockets that are open at a time, each connecting once a day",
      calls: JOINS_PER_MONTH,
      ours: 0,
      articles: 0,
    },
  },
} satisfies PatternCost;
