/** `…/d1/database/:database/export`: the SQL of a database. It is made at once, and fetched at an address of its own. */
import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError } from "../errors.ts";
import type { KeptAnHour } from "../kept-an-hour.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { databaseAt, refusedSql } from "./d1.ts";
import { ok } from "./envelope.ts";

/** The SQL that waits to be fetched, by name. Only in memory, each once, and not for ever. */
export type ExportFiles = KeptAnHour<string>;

const Export = v.looseObject({
  output_format: v.literal("polling"),
  dump_options: v.nullish(
    v.looseObject({
      no_data: v.nullish(v.boolean()),
      no_schema: v.nullish(v.boolean()),
      tables: v.nullish(v.array(v.string())),
    }),
  ),
});

export const d1Export = ({ account }: Api, files: ExportFiles) =>
  new Hono().post("/", async (c) => {
    const { id, name } = databaseAt(account.state, param(c, "database"));
    const { dump_options } = await body(c, Export);
    await account.reachStorage();
    const dump = await account.runtime.calls.exportDatabase(id, {
      noData: dump_options?.no_data ?? false,
      noSchema: dump_options?.no_schema ?? false,
      tables: dump_options?.tables ?? [],
    });
    if ("error" in dump) throw refusedSql(dump.error);
    const filename = `${name}-${randomUUID()}.sql`;
    files.set(filename, dump.sql);
    const { origin, pathname } = new URL(c.req.url);
    return ok(c, {
      success: true,
      type: "export",
      status: "complete",
      messages: [],
      at_bookmark: "",
      result: { filename, signed_url: `${origin}${pathname}/${filename}` },
    });
  });

/** Gives the file. Needs no token: only its client knows the random name. Cloudflare uses signed addresses. */
export const d1Download = (files: ExportFiles) =>
  new Hono().get("/:filename", (c) => {
    const filename = param(c, "filename");
    const sql = files.get(filename);
    if (sql === undefined) throw new ApiError(404, 7404, "There is no such export.");
    // Hono answers HEAD as GET. Who only looks uses nothing up.
    if (c.req.method !== "HEAD") files.delete(filename);
    return c.body(sql, 200, { "content-type": "application/sql" });
  });
