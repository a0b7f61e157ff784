/** What chat rooms cost. What rooms send to clients is free, and so is a socket while nothing is said (hibernation). */
import type { PatternCost } from "../../infra/cost/operation.ts";

/** Each socket connects anew once a day. */
const JOINS_PER_MONTH = 30;

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
    socket: {
      option: "sockets",
      says: "sockets that are open at a time, each connecting once a day",
      calls: JOINS_PER_MONTH,
      ours: 0,
      articles: 0,
    },
  },
} satisfies PatternCost;
