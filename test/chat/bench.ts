/** The measures of chat rooms: messages, and a full room. */
import type { PatternBench } from "../bench/measure.ts";
import { crowdLine, runCrowd } from "./crowd.ts";

export const bench: PatternBench = {
  measures: [
    { title: "chat messages/s, 50 sockets", subject: "chat", concurrency: 50, timesNaive: 8 },
    // Clients that do not take batches. Sending costs most, and is the same on all sides.
    {
      title: "the same, one frame per message",
      subject: "plain-chat",
      concurrency: 50,
      timesNaive: 1,
      shareOfFloor: 0.9,
    },
  ],
  classes: { NAIVE_CHAT_ROOM: "NaiveChatRoom", FLOOR_ROOM: "FloorRoom" },
  visit: {
    subject: "crowd",
    async run(url, memory) {
      const crowd = await runCrowd(url, memory);
      const isWrong = crowd.received !== crowd.expected || crowd.wrong > 0;
      return {
        line: crowdLine(crowd),
        figures: crowd,
        ...(isWrong ? { wrong: "a full room: messages were lost" } : {}),
      };
    },
  },
};
