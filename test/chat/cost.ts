/** The cost of chat rooms. Frames to clients are free, and so is a socket without frames (hibernation). */
import type { PatternCost } from "../../infra/cost/operation.ts";
import { SEEN_EVERY } from "../../worker/chat/protocol.ts";

/** Each socket reconnects once a day. */
const JOINS_PER_MONTH = 30;
/**
 * In a room of two to a hundred people, an alarm looks for silent sockets: 45 seconds after the oldest sign of life,
 * which is 20 seconds old if everybody pings like our client.
 */
const LOOKS_PER_MONTH = (30 * 86_400) / (45 - 20);

export const cost = {
  operations: {
    message: {
      option: "messages",
      says: "messages that clients send to rooms",
      calls: 0,
      messages: 1,
      ours: 1.1,
      articles: 1,
    },
    delivery: {
      option: "deliveries",
      says: "messages that clients get: messages times readers",
      calls: 0,
      // Frames to clients are free, but each client says what it has seen.
      messages: { ours: 1 / SEEN_EVERY, articles: 0 },
      ours: 0,
      articles: 0,
    },
    company: {
      option: "rooms",
      says: "rooms with two or more people, day and night",
      calls: 0,
      alarms: { ours: LOOKS_PER_MONTH, articles: 0 },
      ours: LOOKS_PER_MONTH,
      articles: 0,
    },
    socket: {
      option: "sockets",
      says: "open sockets, each reconnecting once a day",
      calls: JOINS_PER_MONTH,
      ours: 0,
      articles: 0,
    },
  },
} satisfies PatternCost;
