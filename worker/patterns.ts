/**
 * The patterns. Everything that works with all patterns follows from this list: routes and their limits, settings,
 * page, smoke test, rehearsal. `npm run check` names the parts that a pattern lacks.
 */
import { chat } from "./chat/pattern.ts";
import { counter } from "./counter/pattern.ts";
import { document } from "./document/pattern.ts";
import { ledger } from "./ledger/pattern.ts";
import { limit } from "./rate-limit/pattern.ts";
import { session } from "./session/pattern.ts";

/** All patterns, in the order of the page. */
export const patterns = [counter, chat, document, ledger, session, limit] as const;

/** The folder of a pattern, under worker/ and under test/. */
export type PatternFolder = (typeof patterns)[number]["folder"];
