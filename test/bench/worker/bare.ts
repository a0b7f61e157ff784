/** What `npm run bench:http` compares with: the same objects behind Hono, and nothing else. */
import { type Context, Hono } from "hono";
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import type { CounterDO } from "../../../worker/counter/counter.ts";
import type { SessionDO } from "../../../worker/session/session.ts";
