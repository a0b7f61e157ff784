/** `/accounts/:account/d1/database`: D1 databases, and queries to them. */
import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { now } from "../clock.ts";
import { ApiError, noSuchDatabase } from "../errors.ts";
import type { Database, State } from "../model.ts";
import { DEFAULT_LIMIT_MS } from "../runtime/cpu-limit.ts";
import type { Statement } from "../runtime/own-calls.ts";
import { statementsOf } from "../sql.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

const NewDatabase = v.object({
  name: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9][\w-]*$/, "must be letters, digits, '-' and '_', with a letter or digit at the beginning"),
  ),
  jurisdiction: v.nullish(v.string()),
});

const Single = v.object({ sql: v.string(), params: v.nullish(v.array(v.unknown()), []) });
const Query = v.union([v.object({ batch: v.array(Single) }), Single]);

/** Counts the tables that a user made. */
const TABLES =
  "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";
const Counted = v.object({
  results: v.array(v.object({ n: v.number() })),
  meta: v.object({ size_after: v.number() }),
});

export const d1 = ({ account }: Api) => {
  const one = (idOrName: string) => databaseAt(account.state, idOrName);
  return (
    new Hono()
      .get("/", (c) => {
        const name = c.req.query("name") ?? "";
        return paged(
          c,
          [...account.state.databases.values()].filter((database) => database.name.includes(name)),
          listed,
        );
      })
      .post("/", async (c) => {
        const { name, jurisdiction } = await body(c, NewDatabase);
        const database = await account.change((draft) => {
          if ([...draft.state.databases.values()].some((other) => other.name === name))
            throw new ApiError(400, 7502, `Database with name '${name}' already exists`);
          return draft.put("databases", {
            id: randomUUID(),
            name,
            createdOn: now(),
            jurisdiction: jurisdiction ?? null,
          });
        });
        return ok(c, shown(database));
      })
      .get("/:database", async (c) => {
        const database = one(param(c, "database"));
        const [counted] = await d1Query(account, database, [{ sql: TABLES, params: [] }]);
        const { results, meta } = v.parse(Counted, counted);
        return ok(c, { ...shown(database), num_tables: results[0]?.n ?? 0, file_size: meta.size_after });
      })
      .delete("/:database", async (c) => {
        await account.change((draft) => draft.delete("databases", databaseAt(draft.state, param(c, "database")).id));
        return ok(c, null);
      })
      // Runs every statement of the text, or of all texts of a batch, in one transaction. Each gets a result.
      .post("/:database/query", async (c) => {
        const database = one(param(c, "database"));
        const query = await body(c, Query);
        return ok(c, await d1Query(account, database, ("batch" in query ? query.batch : [query]).flatMap(split)));
      })
  );
};

/** The database by its id or its name. */
export function databaseAt({ databases }: State, idOrName: string): Database {
  const found = databases.get(idOrName) ?? [...databases.values()].find(({ name }) => name === idOrName);
  if (found === undefined) throw noSuchDatabase(idOrName);
  return found;
}

/**
 * Runs statements in one transaction and returns a result for each. `limitMs`: for how long they may compute, because
 * every Worker waits meanwhile. @throws ApiError 7500 with what SQLite says.
 */
export async function d1Query(
  account: Account,
  { id, name }: Pick<Database, "id" | "name">,
  statements: readonly Statement[],
  limitMs = DEFAULT_LIMIT_MS,
): Promise<unknown[]> {
  if (statements.length === 0) throw refusedSql("No SQL statements detected.");
  await account.reachStorage();
  const answer = await account.runtime.calls.query(id, statements, {
    what: `a query of the D1 database ${name}`,
    limitMs,
  });
  if ("error" in answer) throw refusedSql(answer.error);
  return answer.results;
}

/** Splits a text into statements. A text with parameters must be a single statement. */
function split({ sql, params }: v.InferOutput<typeof Single>): Statement[] {
  const statements = statementsOf(sql);
  if (params !== null && params.length > 0 && statements.length > 1)
    throw refusedSql("A prepared SQL statement must contain only one statement.");
  return statements.map((statement) => ({ sql: statement, params: params ?? [] }));
}

/** A refusal with what SQLite says. */
export const refusedSql = (message: string) => new ApiError(400, 7500, message.replace(/^D1_ERROR: /, ""));

/** A list says less than a database's own answer. */
const listed = ({ id, name, createdOn, jurisdiction }: Database) => ({
  uuid: id,
  name,
  version: "production",
  created_at: createdOn,
  jurisdiction,
});

const shown = (database: Database) => ({ ...listed(database), read_replication: { mode: "disabled" } });
