/**
 * `/local`: calls that only a local account has, for tests and for the command line. They fire cron triggers, delete
 * expired objects, set faults and save snapshots, with the same token as all other calls.
 */
import path from "node:path";
import { Hono } from "hono";
import * as v from "valibot";
import { expire } from "../bucket-expiry.ts";
import { fire } from "../clockwork.ts";
import { invalid, messageOf } from "../errors.ts";
import { type Faults, parseFault } from "../faults.ts";
import { checkTarget, copyState, NoSnapshot } from "../snapshots.ts";
import { body } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

/** A time, by default now. */
const At = v.optional(v.pipe(v.string(), v.isoTimestamp()));
const Fire = v.object({ worker: v.string(), cron: v.optional(v.string()), at: At });
const Expire = v.object({ at: At });
const Save = v.object({ folder: v.pipe(v.string(), v.check(path.isAbsolute, "must be an absolute path")) });
const NewFaults = v.object({ faults: v.array(v.string()) });

export const extras = ({ account, dir }: Api, faults: Faults) =>
  new Hono()
    // Fires one trigger of a Worker, or all that it has, as if due now or at a given time.
    .post("/cron", async (c) => {
      const { worker: name, cron, at } = await body(c, Fire);
      const worker = scriptAt(account.state, name);
      const crons = worker.schedules.map((schedule) => schedule.cron);
      if (cron !== undefined && !crons.includes(cron))
        throw invalid(`cron: '${name}' has no trigger '${cron}'; it has ${crons.join(", ") || "none"}.`);
      const outcomes = [];
      for (const each of cron === undefined ? crons : [cron])
        outcomes.push({ cron: each, outcome: await fire(account, worker, each, timeOf(at)) });
      return ok(c, outcomes);
    })
    // Deletes the objects of buckets that have expired, now or at a given time.
    .post("/expire", async (c) => {
      const { at } = await body(c, Expire);
      return ok(c, await expire(account, timeOf(at)));
    })
    .post("/snapshot", async (c) => {
      const { folder } = await body(c, Save);
      try {
        // First, so that nobody waits for a snapshot that cannot be made.
        checkTarget(folder);
        await account.whileStill(() => copyState(dir, folder));
      } catch (error) {
        throw error instanceof NoSnapshot ? invalid(error.message) : error;
      }
      return ok(c, { folder });
    })
    .put("/faults", async (c) => {
      const { faults: sent } = await body(c, NewFaults);
      const parsed = sent.map((text) => {
        try {
          return parseFault(text);
        } catch (error) {
          throw invalid(messageOf(error));
        }
      });
      faults.set(parsed);
      return ok(c, parsed);
    });

/** Milliseconds since the epoch. */
const timeOf = (at: string | undefined): number => (at === undefined ? Date.now() : Date.parse(at));
