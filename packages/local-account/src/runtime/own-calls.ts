/** What the account asks of workerd for itself: of namespaces, buckets, databases, queues, workflows and crons. */
import * as v from "valibot";
import { ApiError, noSuchDatabase, noSuchNamespace, noSuchQueue } from "../errors.ts";
import type { State, Workflow } from "../model.ts";
import { servingVersions } from "../queries.ts";
import type { Task, Ticket } from "./activity.ts";
import type { BucketTurns } from "./bucket-turns.ts";
import { type CpuLimit, cpuLimitOf, DEFAULT_LIMIT_MS, OWN_LIMIT_MS } from "./cpu-limit.ts";
import { exchange } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import {
  type BindingAnswer,
  type BindingCall,
  type BucketAccess,
  bucketAccess,
  type KvAccess,
  type KvPair,
  kvAccess,
} from "./storage.ts";

const Told = v.union([v.object({ done: v.unknown() }), v.object({ error: v.string() })]);

const Dumped = v.union([v.object({ sql: v.string() }), v.object({ error: v.string() })]);

const Queried = v.union([v.object({ results: v.array(v.unknown()) }), v.object({ error: v.string() })]);

/** An SQL statement, with the values of its `?`. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A call of the account to workerd. */
interface Call<T> {
  readonly task: Task;
  /** Throws if what it is for has gone while it waited. */
  readonly check?: () => void;
  /** The result if it took too much, and workerd was ended because of it. */
  readonly ended?: () => T;
}

/** The account's own work. */
const ownTask = (what: string): Task => ({ worker: undefined, what, limitMs: OWN_LIMIT_MS });

/** What the calls need of the runtime. */
interface Ways {
  readonly gate: Gate;
  readonly activity: CpuLimit["activity"];
  /** The address of the account's own Worker in workerd. */
  readonly entry: () => string;
  /** Headers by which it knows the account. */
  readonly headers: Readonly<Record<string, string>>;
  /** How often workerd was started. */
  readonly starts: () => number;
  /** Resolves once it is known whether workerd has ended since it was started for the `starts`-th time. */
  readonly hasEnded: (starts: number) => Promise<boolean>;
  readonly state: () => State;
  readonly buckets: BucketTurns;
}

export class OwnCalls {
  readonly #ways: Ways;

  constructor(ways: Ways) {
    this.#ways = ways;
  }

  /** Reports all events of these Workers from now on, and of others those with exceptions. */
  async tail(workers: readonly string[]): Promise<void> {
    await this.#ask(workers, { "account-tailed": "1" }, { task: ownTask("the start or the end of a tail") });
  }

  /** Lets `work` use a KV namespace that `reachStorage` has made reachable. */
  kv<T>(namespaceId: string, work: (kv: KvAccess) => Promise<T>): Promise<T> {
    const call = this.#ofNamespace(namespaceId);
    return work(kvAccess(`kv:${namespaceId}`, (binding) => this.#callBinding(() => binding, call)));
  }

  /** A call to a KV namespace. */
  #ofNamespace(id: string) {
    const check = () => {
      if (!this.#ways.state().kvNamespaces.has(id)) throw noSuchNamespace(id);
    };
    return { task: ownTask("a call to a KV namespace"), check };
  }

  /** Writes pairs to a KV namespace that `reachStorage` has made reachable, in one transaction. */
  async putPairs(namespaceId: string, pairs: readonly KvPair[]): Promise<void> {
    await this.#ask(pairs, { "account-kv": namespaceId }, { ...this.#ofNamespace(namespaceId), method: "PUT" });
  }

  /** Removes keys of a KV namespace in one transaction. */
  async deleteKeys(namespaceId: string, keys: readonly string[]): Promise<void> {
    await this.#ask(keys, { "account-kv": namespaceId }, { ...this.#ofNamespace(namespaceId), method: "DELETE" });
  }

  /** Asks the object of a queue (workers/queues.js). */
  askQueue(queueId: string, call: string, body: object): Promise<unknown> {
    const task = { worker: undefined, what: "a call to a queue", limitMs: DEFAULT_LIMIT_MS };
    const check = () => {
      if (!this.#ways.state().queues.has(queueId)) throw noSuchQueue(queueId);
    };
    return this.#ask(body, { "account-queue": queueId, "account-call": call }, { task, check });
  }

  /** Asks a workflow (workers/workflows.js). Returns the result, or the error. */
  async askWorkflow(workflow: Workflow, call: string, body: object): Promise<v.InferOutput<typeof Told>> {
    const state = this.#ways.state();
    const version = servingVersions(state, workflow.workerId)[0]?.version;
    const task = {
      worker: state.workers.get(workflow.workerId)?.name,
      what: `an instance of the workflow '${workflow.name}'`,
      limitMs: version === undefined ? DEFAULT_LIMIT_MS : cpuLimitOf(version),
    };
    const headers = { "account-workflow": encodeURIComponent(workflow.name), "account-call": call };
    return v.parse(Told, await this.#ask(body, headers, { task }));
  }

  /**
   * Lets `work` use a bucket that `reachStorage` has made reachable. It waits while the bucket is being deleted.
   * @throws ApiError 10006 if the bucket is gone: workerd still has it.
   */
  async bucket<T>(key: string, work: (bucket: BucketAccess) => Promise<T>): Promise<T> {
    const end = await this.#ways.buckets.begin(key);
    try {
      if (!this.#ways.state().buckets.has(key)) throw new ApiError(404, 10006, "The specified bucket does not exist.");
      return await work(this.#bucket(key));
    } finally {
      end();
    }
  }

  /** Whether a reachable bucket has no object in it. For who has it alone (bucket-turns.ts). */
  async isEmptyBucket(key: string): Promise<boolean> {
    return (await this.#bucket(key).list({ limit: 1 })).objects.length === 0;
  }

  #bucket(key: string): BucketAccess {
    const task = ownTask("a call to a bucket");
    return bucketAccess(`r2:${key}`, (call) => this.#callBinding(() => call, { task }));
  }

  /** Runs statements in one transaction on a reachable database (`reachStorage`). Returns results, or the error. */
  async query(
    databaseId: string,
    statements: readonly Statement[],
    task: Pick<Task, "what" | "limitMs">,
  ): Promise<v.InferOutput<typeof Queried>> {
    const ended = () => ({ error: "D1 DB exceeded its CPU time limit and was reset." });
    const headers = { "account-database": databaseId };
    const call = { task: { worker: undefined, ...task }, check: this.#checkDatabase(databaseId), ended };
    return v.parse(Queried, await this.#ask(statements, headers, call));
  }

  /** The SQL of a reachable database (`reachStorage`), or the error. No tables are all tables. */
  async exportDatabase(
    databaseId: string,
    what: { readonly noData: boolean; readonly noSchema: boolean; readonly tables: readonly string[] },
  ): Promise<v.InferOutput<typeof Dumped>> {
    const headers = { "account-database": databaseId, "account-call": "export" };
    const call = { task: ownTask("the export of a database"), check: this.#checkDatabase(databaseId) };
    return v.parse(Dumped, await this.#ask(what, headers, call));
  }

  #checkDatabase(id: string) {
    return () => {
      if (!this.#ways.state().databases.has(id)) throw noSuchDatabase(id);
    };
  }

  /**
   * Fires the `scheduled` handler of a service, and returns its outcome. A deployment gives a version's service another
   * name, so `service` is asked when workerd serves. `scheduledTime` is in ms since the epoch.
   */
  async scheduled(
    service: () => string,
    event: { readonly cron: string; readonly scheduledTime: number },
    task: Task,
  ): Promise<string> {
    const call = () => ({ on: `service:${service()}`, method: "scheduled", args: [event] });
    const ended = () => ({ result: { outcome: "exceededCpu" }, body: async () => new ArrayBuffer() });
    const { result } = await this.#callBinding(call, { task, ended });
    return v.parse(v.object({ outcome: v.string() }), result).outcome;
  }

  /** Calls a method of a binding of the internal Worker. `binding` is asked when workerd serves. */
  #callBinding(binding: () => BindingCall, call: Call<BindingAnswer>): Promise<BindingAnswer> {
    return this.#use(async ({ id }) => {
      const { on, method, args, body } = binding();
      const what = encodeURIComponent(JSON.stringify({ on, method, args }));
      const headers = { ...this.#ways.headers, "account-task": id, "account-binding": "1", "account-call": what };
      const answer = await exchange(this.#ways.entry(), { headers, ...(body !== undefined && { body }) });
      if (answer.status !== 200) throw new Error(answer.body.toString());
      const told = answer.headers["account-result"];
      const result: unknown = JSON.parse(
        told === undefined ? answer.body.toString() : decodeURIComponent(String(told)),
      );
      return { result, body: async () => new Uint8Array(answer.body).buffer };
    }, call);
  }

  /** Asks the internal Worker. A restart waits for the answer. */
  #ask(
    body: object,
    headers: Readonly<Record<string, string>>,
    { method = "POST", ...call }: Call<unknown> & { readonly method?: string },
  ): Promise<unknown> {
    return this.#use(async ({ id }) => {
      const response = await fetch(this.#ways.entry(), {
        method,
        headers: { ...this.#ways.headers, ...headers, "account-task": id },
        body: JSON.stringify(body),
      });
      // The account's own Workers answer so to what a client sends (workers/queues.js).
      if (response.status === 413) throw new ApiError(413, TOO_LARGE, `${await response.text()}.`);
      if (!response.ok) throw new Error(`the account's own Worker failed: ${await response.text()}`);
      return response.json();
    }, call);
  }

  /**
   * Runs `work` while the gate is open. A restart waits for it, up to DRAIN_MS.
   * @throws ApiError 503 if workerd has ended meanwhile, or 504 after CALL_LIMIT_MS.
   */
  async #use<T>(work: (ticket: Ticket) => Promise<T>, { task, check, ended }: Call<T>): Promise<T> {
    const { gate, activity, starts, hasEnded } = this.#ways;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    await gate.enter(over, () => check?.());
    const before = starts();
    const ticket = activity.send(task);
    const limit = Promise.withResolvers<never>();
    const timer = setTimeout(() => limit.reject(late(task)), CALL_LIMIT_MS).unref();
    const result = Promise.race([work(ticket), limit.promise]).finally(() => end());
    try {
      return await result;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const isLost = await hasEnded(before);
      if (ticket.fate === "ended" && ended) return ended();
      if (!isLost) throw error;
      throw new ApiError(
        503,
        INTERRUPTED,
        `The account's runtime ended during ${task.what}, so the outcome is not known. Send the call again.`,
      );
    } finally {
      clearTimeout(timer);
      activity.end(ticket, "answered");
    }
  }
}

/** How long anything that the account asks of workerd may take: as long as Cloudflare lets a cron trigger run. */
const CALL_LIMIT_MS = 15 * 60_000;

/** As for other wrong input: Cloudflare publishes no code for it. */
const TOO_LARGE = 10021;

/** Cloudflare publishes no code for it. */
const INTERRUPTED = 10013;

/** A call had its time. */
const late = ({ what }: Task) =>
  new ApiError(504, INTERRUPTED, `The runtime did not answer ${what} within ${CALL_LIMIT_MS / 60_000} minutes.`);
