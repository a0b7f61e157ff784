/** The patterns that a rehearsal fills. The limiter comes last: its buckets refill until they are read. */
import { chat } from "./chat.ts";
import { counter } from "./counter.ts";
import { ledger } from "./ledger.ts";
import { limiter } from "./limiter.ts";
import type { Pattern } from "./pattern.ts";
import { session } from "./session.ts";

export const PATTERNS: readonly Pattern[] = [counter, chat, ledger, session, limiter];
