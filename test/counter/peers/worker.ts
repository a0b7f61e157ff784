/** Counters as people write them with other packages. */
import { DurableObject } from "cloudflare:workers";
import { Actor, Persist } from "@cloudflare/actors";
import { Agent } from "agents";
import type { CounterDO } from "../../../worker/counter/counter.ts";
import { calls, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

/** The shortest way to count exactly in an object: one statement for an increment. */
export class SqlCounter extends DurableObject {
  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)");
  }

  add(by: number): number {
    const statement =
      "INSERT INTO counter VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET count = count + excluded.count RETURNING count";
    return this.ctx.storage.sql.exec<{ count: number }>(statement, by).one().count;
  }
}

export class ActorCounter extends Actor<object> {
  @Persist
  count = 0;

  add(by: number): number {
    this.count += by;
    return this.count;
  }
}

export class AgentCounter extends Agent<object, { count: number }> {
  override initialState = { count: 0 };

  add(by: number): number {
    this.setState({ count: this.state.count + by });
    return this.state.count;
  }
}

interface Bindings extends WithFloor {
  COUNTER: DurableObjectNamespace<CounterDO>;
  SQL_COUNTER: DurableObjectNamespace<SqlCounter>;
  ACTOR_COUNTER: DurableObjectNamespace<ActorCounter>;
  AGENT_COUNTER: DurableObjectNamespace<AgentCounter>;
  COUNTS: D1Database;
}

const ours = ({ COUNTER }: Bindings) => {
  const stub = COUNTER.getByName(NAME);
  return () => stub.add(1);
};
const beside = (peer: (env: Bindings) => { add(by: number): Promise<number> }) =>
  calls<Bindings>({
    naive: (env) => {
      const stub = peer(env);
      return () => stub.add(1);
    },
    ours,
  });

export const subjects: Subjects<Bindings> = {
  "counter-sql": beside((env) => env.SQL_COUNTER.getByName(NAME)),
  "counter-actors": beside((env) => env.ACTOR_COUNTER.getByName(NAME)),
  "counter-agents": beside((env) => env.AGENT_COUNTER.getByName(NAME)),
  "counter-d1": calls<Bindings>({
    naive: async ({ COUNTS }, isFirst) => {
      if (isFirst) {
        await COUNTS.exec("CREATE TABLE counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL)");
        await COUNTS.exec("INSERT INTO counters VALUES ('bench', 0)");
      }
      const add = COUNTS.prepare("UPDATE counters SET count = count + 1 WHERE name = 'bench' RETURNING count");
      return () => add.first("count");
    },
    ours,
  }),
};
