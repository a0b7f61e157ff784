/** `…/d1/database/:database/import`: a client asks for an upload address, uploads a file of SQL, and has it run. */
import { isUtf8 } from "node:buffer";
import { createHash, randomUUID } from "node:crypto";
import { Hono } from "hono";
import * as v from "valibot";
import { ApiError, invalid } from "../errors.ts";
import type { KeptAnHour } from "../kept-an-hour.ts";
import { OWN_LIMIT_MS } from "../runtime/cpu-limit.ts";
import { statementsOf } from "../sql.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { d1Query, databaseAt } from "./d1.ts";
import { ok } from "./envelope.ts";

/** The files that wait to be run, by name; undefined until the upload. Only in memory, and not for ever. */
export type ImportFiles = KeptAnHour<Uint8Array | undefined>;

const Step = v.variant("action", [
  v.object({ action: v.literal("init"), etag: v.string() }),
  v.object({ action: v.literal("ingest"), etag: v.string(), filename: v.string() }),
]);

const Meta = v.object({
  rows_read: v.number(),
  rows_written: v.number(),
  duration: v.number(),
  size_after: v.number(),
});

export const d1Import = ({ account }: Api, files: ImportFiles) =>
  new Hono().post("/", async (c) => {
    const database = databaseAt(account.state, param(c, "database"));
    const step = await body(c, Step);
    if (step.action === "init") {
      const filename = `${randomUUID()}.sql`;
      files.set(filename, undefined);
      const { origin, pathname } = new URL(c.req.url);
      return ok(c, { success: true, type: "import", filename, upload_url: `${origin}${pathname}/${filename}` });
    }
    const contents = files.get(step.filename);
    if (contents === undefined || etagOf(contents) !== step.etag)
      throw invalid(`filename: '${step.filename}' was not uploaded.`);
    // Not to be run a second time meanwhile.
    files.delete(step.filename);
    const statements = statementsOf(textOf(contents)).map((sql) => ({ sql, params: [] }));
    const results = await d1Query(account, database, statements, OWN_LIMIT_MS).catch((error: unknown) => {
      // What SQLite has refused it will refuse again. After anything else the call can be sent again.
      if (!(error instanceof ApiError && error.status === 400)) files.set(step.filename, contents);
      throw error;
    });
    const metas = results.map((result) => v.parse(v.object({ meta: Meta }), result).meta);
    const sum = (name: "rows_read" | "rows_written" | "duration") => metas.reduce((all, meta) => all + meta[name], 0);
    return ok(c, {
      success: true,
      type: "import",
      status: "complete",
      messages: [],
      result: {
        num_queries: metas.length,
        final_bookmark: "",
        meta: {
          duration: sum("duration"),
          rows_read: sum("rows_read"),
          rows_written: sum("rows_written"),
          size_after: metas.at(-1)?.size_after ?? 0,
        },
      },
    });
  });

/** Takes the file. Needs no token: only its client knows the random name. Cloudflare uses signed addresses. */
export const d1Upload = (files: ImportFiles) =>
  new Hono().put("/:filename", async (c) => {
    const filename = param(c, "filename");
    if (!files.has(filename)) throw new ApiError(404, 7404, "There is no such upload.");
    const contents = new Uint8Array(await c.req.arrayBuffer());
    files.set(filename, contents);
    return c.body(null, 200, { etag: `"${etagOf(contents)}"` });
  });

/** Of the bytes as sent: the client takes it of its file. */
const etagOf = (contents: Uint8Array) => createHash("md5").update(contents).digest("hex");

/** The file's text, without a byte order mark. @throws ApiError 10021 with the first byte that is no UTF-8. */
function textOf(contents: Uint8Array): string {
  if (isUtf8(contents)) return new TextDecoder().decode(contents);
  // Where the bytes are no UTF-8, the decoder puts another character.
  const again = Buffer.from(Buffer.from(contents).toString());
  const wrong = contents.findIndex((byte, index) => byte !== again[index]);
  throw invalid(
    `the file is not UTF-8 from byte ${wrong === -1 ? contents.length - 1 : wrong} on. Save it as UTF-8, and write bytes as x'…' in SQL.`,
  );
}
