/** `/accounts/:account/d1/database/:database/time_travel`. */
import { Hono } from "hono";
import * as v from "valibot";
import { parse } from "../parse.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { databaseAt } from "./d1.ts";
import { ok } from "./envelope.ts";

const Moment = v.pipe(
  v.string(),
  v.transform((text) => Date.parse(text)),
  v.number("must be a time, as 2026-11-27T12:00:00Z"),
);
const Query = v.object({ timestamp: v.optional(Moment), bookmark: v.optional(v.string()) });

export const d1TimeTravel = ({ account }: Api) =>
  new Hono()
    .get("/bookmark", async (c) => {
      const { id } = databaseAt(account.state, param(c, "database"));
      const { timestamp } = parse(Query, c.req.query());
      const bookmarks = account.bookmarksOf(id);
      return ok(c, { bookmark: await (timestamp === undefined ? bookmarks.now() : bookmarks.at(timestamp)) });
    })
    .post("/restore", async (c) => {
      const { id } = databaseAt(account.state, param(c, "database"));
      const { timestamp, bookmark: asked } = parse(Query, c.req.query());
      const bookmarks = account.bookmarksOf(id);
      const bookmark = asked ?? (await bookmarks.at(timestamp ?? Date.now()));
      await bookmarks.check(bookmark);
      let previous = "";
      await account.whileStill(async () => {
        previous = await bookmarks.now(bookmark);
        await bookmarks.restore(bookmark);
      });
      return ok(c, {
        bookmark,
        previous_bookmark: previous,
        message: `Restored to bookmark ${bookmark}. To undo this, restore to ${previous}.`,
      });
    });
