/**
 * A workflow in workerd: Miniflare's engine, which has one object an instance. Added to it: a list of the instances,
 * calls for the REST API, and that instances go on after workerd was restarted.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { Engine as MiniflareEngine } from "./workflows.mjs";

export { WorkflowBinding } from "./workflows.mjs";

/** Miniflare's numbers for the states of an instance. */
const STATUS = [
  "queued",
  "running",
  "paused",
  "errored",
  "terminated",
  "complete",
  "waitingForPause",
  "waiting",
  "rollingBack",
];
const ENDED = ["errored", "terminated", "complete"];

/** How often workerd may be ended for computing without a pause while an instance is at the same work. */
const MOST_OVERRUNS = 3;

/** Miniflare's numbers for entries of an instance's log: work that has begun, work that is done, and what only waits. */
const BEGUN = [5, 10, 18, 19]; // a step, an attempt, and the same of a rollback
const DONE = [6, 7, 9, 15, 16]; // a step (well or not), a sleep, a wait (well or not)
const RESTING = [8, 12, 14]; // a sleep, a failed attempt before the next, a wait for an event

const OVERRUNS = "ACCOUNT_OVERRUNS";

const METADATA = "INSTANCE_METADATA";

export class Engine extends MiniflareEngine {
  async setStatus(accountId, instanceId, status) {
    await super.setStatus(accountId, instanceId, status);
    if (STATUS[status] !== "running") await this.ctx.storage.delete(OVERRUNS);
    await this.#note(instanceId, STATUS[status]);
  }

  /** Goes on where the instance was when workerd ended. */
  async goOn() {
    const metadata = await this.ctx.storage.get(METADATA);
    if (metadata === undefined || this.isRunning) return;
    const { accountId, workflow, version, instance, event } = metadata;
    await this.#note(instance.id, STATUS[await this.getStatus()]);
    this.ctx.waitUntil(this.init(accountId, workflow, version, instance, event).catch(() => {}));
  }

  /**
   * Workerd was ended because something computed too long. Returns how often that was so while this instance was at the
   * same work. It is 0 if the instance only sleeps or waits: then it was not this one.
   */
  async overrun() {
    const log = this.ctx.storage.sql.exec("SELECT event, groupKey FROM states ORDER BY id").toArray();
    const last = [...new Map(log.map(({ event, groupKey }) => [groupKey, event])).values()];
    const isAt = (events) => last.some((event) => events.includes(event));
    if (isAt(RESTING) && !isAt(BEGUN)) return 0;
    const done = log.filter(({ event }) => DONE.includes(event)).length;
    const before = await this.ctx.storage.get(OVERRUNS);
    const count = before?.done === done ? before.count + 1 : 1;
    await this.ctx.storage.put(OVERRUNS, { done, count });
    return count;
  }

  /** Ends the instance with an error. */
  async giveUp(message) {
    const { accountId, instance } = await this.ctx.storage.get(METADATA);
    this.writeLog(3, null, null, { error: { name: "Error", message } });
    await this.setStatus(accountId, instance.id, STATUS.indexOf("errored"));
  }

  async describe() {
    const { status } = await this.getInstanceMetadata();
    return { status: STATUS[status] ?? "unknown", logs: this.readDetailedLogs() };
  }

  async deleteInstance() {
    const metadata = await this.ctx.storage.get(METADATA);
    if (metadata !== undefined) await listOf(this.env).forget(metadata.instance.id);
    return super.deleteInstance();
  }

  #note(instanceId, status) {
    return listOf(this.env).note(instanceId, status, this.env.VERSION);
  }
}

const listOf = ({ INSTANCES }) => INSTANCES.get(INSTANCES.idFromName("all"));

/** The list of a workflow's instances. */
export class Instances extends DurableObject {
  #sql = this.ctx.storage.sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS instances (
      id TEXT PRIMARY KEY, status TEXT NOT NULL, version TEXT NOT NULL, created INTEGER NOT NULL,
      modified INTEGER NOT NULL, ended INTEGER
    )`);
  }

  note(id, status, version) {
    const now = Date.now();
    this.#sql.exec(
      `INSERT INTO instances (id, status, version, created, modified, ended) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
       ON CONFLICT (id) DO UPDATE SET modified = ?4, ended = ?5, status = ?2`,
      id,
      status,
      version,
      now,
      ENDED.includes(status) ? now : null,
    );
  }

  forget(id) {
    this.#sql.exec("DELETE FROM instances WHERE id = ?", id);
  }

  /** Newest first. */
  list() {
    return this.#sql
      .exec("SELECT id, status, version, created, modified, ended FROM instances ORDER BY created DESC, rowid DESC")
      .toArray();
  }

  /** Lets all instances that have not ended go on. `overran`: workerd was ended because something computed too long. */
  async goOn(overran) {
    for (const { id, status } of this.list()) {
      if (ENDED.includes(status) || status === "paused") continue;
      const engine = this.env.ENGINE.get(this.env.ENGINE.idFromName(id));
      if (overran && status === "running" && (await engine.overrun()) >= MOST_OVERRUNS)
        await engine.giveUp(`The runtime was ended ${MOST_OVERRUNS} times while this ran: a step computes too long.`);
      else await engine.goOn();
    }
  }
}

/** What the account calls, by the path. */
export class Management extends WorkerEntrypoint {
  async fetch(request) {
    const sent = await request.json();
    try {
      return Response.json({ done: (await this.#call(new URL(request.url).pathname.slice(1), sent)) ?? null });
    } catch (error) {
      return Response.json({ error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Refuses a batch before anything of it is created. The engine would leave out the instances that it has. */
  async #refuseKnown(ids) {
    const twice = ids.find((id, index) => ids.indexOf(id) < index);
    if (twice !== undefined) throw new Error(`instance.duplicate_in_batch: '${twice}' is in the batch twice.`);
    const known = new Set((await listOf(this.env).list()).map(({ id }) => id));
    const taken = ids.find((id) => known.has(id));
    if (taken !== undefined) throw new Error(`instance.already_exists: there is an instance '${taken}'.`);
  }

  async #call(call, { id, ...sent }) {
    const { WORKFLOW, ENGINE } = this.env;
    switch (call) {
      case "create-batch":
        await this.#refuseKnown(sent.instances.flatMap((instance) => instance.id ?? []));
        return WORKFLOW.createBatch(sent.instances);
      case "list":
        return listOf(this.env).list();
      case "go-on":
        return listOf(this.env).goOn(sent.overran);
    }
    const instance = await WORKFLOW.get(id);
    switch (call) {
      case "describe":
        return ENGINE.get(ENGINE.idFromName(id)).describe();
      // The engine refuses neither for an instance that has ended.
      case "pause":
      case "resume": {
        const { status } = await instance.status();
        if (ENDED.includes(status)) throw new Error(`instance.cannot_${call}: instance '${id}' has ended (${status}).`);
        return instance[call]();
      }
      case "restart":
        return instance.restart(sent.from ? { from: sent.from } : undefined);
      case "terminate":
        return instance.terminate(sent.rollback ? { rollback: true } : undefined);
      case "event":
        return instance.sendEvent({ type: sent.type, payload: sent.payload });
    }
    throw new Error(`there is no call ${call}`);
  }
}
