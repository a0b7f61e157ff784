/** The release's Worker in workerd, with storage on disk. Its rate limiter lets everybody pass. */
import { patterns } from "../../../worker/patterns.ts";
import { type Bench, startEntry } from "../../bench/runtime.ts";

/** These tests are about the code behind the limiter. */
const AMPLE = { capacity: 1_000_000, periodSeconds: 60 };

export type Hostile = Bench;

export const startWorker = (): Promise<Hostile> =>
  startEntry({
    entry: 'export * from "../worker/index.ts";\nexport { default } from "../worker/index.ts";',
    bindings: Object.fromEntries(patterns.map((facts) => [facts.binding, facts.class])),
    settings: {
      environment: "hostile",
      access: "open",
      chat: { rooms: "public" },
      rateLimits: Object.fromEntries(["default", "chat", "create"].map((policy) => [policy, AMPLE])),
    },
  });
