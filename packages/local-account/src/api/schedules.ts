/** `/accounts/:account/workers/scripts/:script/schedules`: cron triggers. Who fires them: clockwork.ts. */
import { Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import { cronFault } from "../cron.ts";
import { ApiError, invalid } from "../errors.ts";
import { checkCrons } from "../limits.ts";
import type { Schedule } from "../model.ts";
import { parse } from "../parse.ts";
import { json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

const Cron = v.looseObject({ cron: v.string() });
/** The SDK sends a bare list, older clients an object with `schedules`. */
const Schedules = v.union([
  v.array(Cron),
  v.pipe(
    v.object({ schedules: v.array(Cron) }),
    v.transform(({ schedules }) => schedules),
  ),
]);

export const schedules = ({ account }: Api) =>
  new Hono()
    .get("/", (c) => ok(c, { schedules: scriptAt(account.state, param(c, "script")).schedules.map(shown) }))
    .put("/", async (c) => {
      const sent = parse(Schedules, await json(c));
      const duplicate = sent.find(({ cron }, index) => sent.findIndex((other) => other.cron === cron) !== index);
      if (duplicate !== undefined) throw invalid(`schedules: '${duplicate.cron}' is there twice.`);
      for (const { cron } of sent) {
        const fault = cronFault(cron);
        if (fault !== undefined) throw new ApiError(400, 10100, `invalid cron string '${cron}': ${fault}`);
      }
      const worker = await account.change((draft) => {
        const before = scriptAt(draft.state, param(c, "script"));
        const all = [...draft.state.workers.values()].reduce((sum, worker) => sum + worker.schedules.length, 0);
        checkCrons(all, all - before.schedules.length + sent.length, account.plan);
        const schedules = sent.map(
          ({ cron }) =>
            before.schedules.find((schedule) => schedule.cron === cron) ?? {
              cron,
              createdOn: now(),
              modifiedOn: now(),
            },
        );
        return draft.put("workers", { ...before, schedules });
      });
      return ok(c, { schedules: worker.schedules.map(shown) });
    });

const shown = ({ cron, createdOn, modifiedOn }: Schedule) => ({ cron, created_on: createdOn, modified_on: modifiedOn });
