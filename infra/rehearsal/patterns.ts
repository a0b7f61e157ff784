/** The patterns that a rehearsal fills. The limiter comes last: its buckets refill until they are read. */
import { chat } from "../../test/chat/rehearsal.ts";
import { counter } from "../../test/counter/rehearsal.ts";
import { ledger } from "../../test/ledger/rehearsal.ts";
import { limiter } from "../../test/rate-limit/rehearsal.ts";
import { session } from "../../test/session/rehearsal.ts";
import type { Pattern } from "./filling.ts";

export const PATTERNS: readonly Pattern[] = [counter, chat, ledger, session, limiter];
