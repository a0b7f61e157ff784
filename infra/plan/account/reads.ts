/**
 * Reads an account: the program through the provider's data sources, a command through the REST API. Both give what
 * the types of `@pulumi/cloudflare` promise, and both are checked here.
 */
import * as v from "valibot";
import { issueLines } from "../../common/issues.ts";
import { type Api, ApiError, at } from "../../provider/api.ts";
import { inJurisdiction } from "../../provider/buckets.ts";
import { ask } from "../../provider/functions.ts";
import type { StorageKind } from "../../stack/extras.ts";

/** Text that the provider may give as "" and the API as null where there is none. */
const text = v.pipe(
  v.nullish(v.string()),
  v.transform((given) => given || undefined),
);

const Worker = v.object({
  id: v.string(),
  name: v.string(),
  /** When it was deployed last; undefined: it never was. */
  deployedOn: text,
  tags: v.nullish(v.array(v.string()), []),
  /** Whether it answers on workers.dev. */
  subdomain: v.nullish(v.object({ enabled: v.nullish(v.boolean()) })),
  /** Workers that are told of its requests. */
  tailConsumers: v.nullish(v.array(v.object({ name: v.string() }))),
  /** Whether its logs are pushed to where the account sends them. */
  logpush: v.nullish(v.boolean()),
  references: v.object({
    /** Other Workers with a service binding to this one. */
    workers: v.nullish(v.array(v.object({ name: v.string() })), []),
    /** Bindings of other Workers to this one's classes. */
    durableObjects: v.array(v.object({ namespaceId: v.string(), namespaceName: v.string(), workerName: v.string() })),
  }),
});
export type WorkerRead = v.InferOutput<typeof Worker>;

const Deployment = v.pipe(
  v.object({
    id: v.string(),
    createdOn: text,
    source: text,
    annotations: v.nullish(v.object({ workersMessage: text })),
    versions: v.array(v.object({ versionId: v.string(), percentage: v.number() })),
  }),
  v.transform(({ annotations, ...rest }) => ({ ...rest, message: annotations?.workersMessage })),
);
export type DeploymentRead = v.InferOutput<typeof Deployment>;

const Binding = v.looseObject({
  name: v.string(),
  type: text,
  /** JSON text, of a binding of type `json`. */
  json: text,
  className: text,
  namespaceId: text,
  bucketName: text,
  /** Of a binding of type `d1`: the database's. */
  id: text,
  databaseId: text,
  jurisdiction: text,
});
const Version = v.object({
  id: v.string(),
  number: v.number(),
  createdOn: text,
  source: text,
  annotations: v.nullish(v.object({ workersTag: text, workersMessage: text })),
  bindings: v.nullish(v.array(Binding), []),
  /** By class, live ones only; nothing where the Worker was deployed with `migrations`. */
  exports: v.nullish(v.record(v.string(), v.object({ type: v.string(), storage: text, transferFrom: text })), {}),
});
export type VersionRead = v.InferOutput<typeof Version>;
export type BindingRead = v.InferOutput<typeof Binding>;

const Titled = v.array(v.object({ id: v.string(), title: v.string() }));
const Databases = v.array(
  v.pipe(
    v.object({ uuid: v.string(), name: v.string() }),
    v.transform(({ uuid: id, name }) => ({ id, name })),
  ),
);
const Database = v.object({ num_tables: v.nullish(v.number()) });
const Domains = v.array(v.object({ id: v.string(), hostname: v.string(), service: text }));
const Routes = v.array(v.object({ id: v.string(), pattern: v.string(), script: text }));

const Scripts = v.array(v.object({ id: v.string(), handlers: v.nullish(v.array(v.string()), []) }));

const Schedules = v.object({ schedules: v.array(v.object({ cron: v.string() })) });

const Namespace = v.object({ id: v.string(), class: text, script: text, useSqlite: v.nullish(v.boolean(), false) });
export type NamespaceRead = v.InferOutput<typeof Namespace>;

const Deployments = v.object({ results: v.array(v.object({ deployments: v.array(Deployment) })) });

/** Objects of a namespace. */
export interface ObjectCount {
  /** Objects with stored data that were seen. */
  readonly count: number;
  /** Whether there are more than were asked for. */
  readonly more: boolean;
}

/** How many objects are listed at most: one page of the API. */
export const OBJECTS_LIMIT = 1_000;

type Args<Names extends string> = Readonly<Record<"accountId" | Names, string>>;

/** The data sources that are asked, by the provider's names: cloudflare.ts has them. */
interface DataSources {
  getWorkers(args: Args<never>): Promise<unknown>;
  getWorkersDeployments(args: Args<"scriptName">): Promise<unknown>;
  getWorkerVersion(args: Args<"workerId" | "versionId">): Promise<unknown>;
  getWorkerVersions(args: Args<"workerId">): Promise<unknown>;
}

/** The same answers through the REST API. */
function dataSourcesOf(api: Api): DataSources {
  const source = (name: keyof DataSources) => (args: Args<never>) => ask(`cloudflare:index/${name}:${name}`, api, args);
  return {
    getWorkers: source("getWorkers"),
    getWorkersDeployments: source("getWorkersDeployments"),
    getWorkerVersion: source("getWorkerVersion"),
    getWorkerVersions: source("getWorkerVersions"),
  };
}

/**
 * Reads one account. A read that the API refuses is an error that says which one and why, where nothing else is said; one
 * that fails always is.
 */
export class Reads {
  readonly accountId: string;
  readonly #sources: DataSources;
  readonly #api: Api | undefined;
  /** Whether an error of the API says that something is not known: else only a refusal does. */
  readonly #passes: (error: ApiError) => boolean;

  /** `api`: for what no data source has (namespaces and their objects); undefined: that cannot be read. */
  constructor(
    accountId: string,
    sources: DataSources,
    api: Api | undefined,
    passes = ({ isRefusal }: ApiError): boolean => isRefusal,
  ) {
    this.accountId = accountId;
    this.#sources = sources;
    this.#api = api;
    this.#passes = passes;
  }

  /** Reads through the REST API alone. */
  static through(api: Api, accountId: string): Reads {
    return new Reads(accountId, dataSourcesOf(api), api);
  }

  /**
   * The same reads, where one that may be refused may fail for a while, too: then nobody can tell, and the work goes on.
   * What has to be read (the Workers, their deployments and versions) still fails.
   */
  lenient(): Reads {
    return new Reads(this.accountId, this.#sources, this.#api, () => true);
  }

  /** All Workers of the account. */
  async workers(): Promise<readonly WorkerRead[]> {
    const { accountId } = this;
    return checked("its Workers", v.object({ results: v.array(Worker) }), await this.#sources.getWorkers({ accountId }))
      .results;
  }

  /** A Worker's deployments, the newest first. */
  async deployments(scriptName: string): Promise<readonly DeploymentRead[]> {
    const { accountId } = this;
    const answer = await this.#sources.getWorkersDeployments({ accountId, scriptName });
    return checked(`the deployments of ${scriptName}`, Deployments, answer).results.flatMap(
      ({ deployments }) => deployments,
    );
  }

  async version(workerId: string, versionId: string): Promise<VersionRead> {
    const { accountId } = this;
    const answer = await this.#sources.getWorkerVersion({ accountId, workerId, versionId });
    return checked(`version ${versionId}`, Version, answer);
  }

  /** A Worker's versions, the newest first. */
  async versions(workerId: string): Promise<readonly VersionRead[]> {
    const { accountId } = this;
    const answer = await this.#sources.getWorkerVersions({ accountId, workerId });
    return checked("a Worker's versions", v.object({ results: v.array(Version) }), answer).results;
  }

  /** The namespaces that a Worker's classes have; undefined where the account cannot be asked, or refuses. */
  async namespaces(workerName: string): Promise<readonly NamespaceRead[] | undefined> {
    const found = await this.#optional((api) => api.list(`${this.#durableObjects}/namespaces`, { per_page: 100 }));
    const all =
      found &&
      checked(
        "namespaces",
        v.array(Namespace),
        found.map(({ use_sqlite, ...rest }) => ({ ...rest, useSqlite: use_sqlite })),
      );
    return all?.filter(({ script }) => script === workerName);
  }

  /** Counts the objects of a namespace that have data; undefined where the account cannot be asked, or refuses. */
  async objects(namespaceId: string): Promise<ObjectCount | undefined> {
    const page = await this.#optional((api) =>
      api.page(`${this.#durableObjects}/namespaces${at`/${namespaceId}`}/objects`, { limit: OBJECTS_LIMIT }),
    );
    return (
      page && {
        count: page.results.filter(({ hasStoredData }) => hasStoredData !== false).length,
        more: page.cursor !== undefined,
      }
    );
  }

  /**
   * Whether a KV namespace or a database exists, by its id, or a bucket, by its name; undefined where the account cannot
   * be asked, or refuses.
   */
  async storageExists(kind: StorageKind, id: string, jurisdiction?: string): Promise<boolean | undefined> {
    if (kind === "r2") return this.bucketExists(id, jurisdiction);
    return this.#exists(`${kind === "kv" ? this.#kv : this.#d1}${at`/${id}`}`);
  }

  /** The KV namespaces of the account; undefined where it cannot be asked, or refuses. So it is with all that follow. */
  async kvNamespaces(): Promise<v.InferOutput<typeof Titled> | undefined> {
    return this.#listed("KV namespaces", Titled, this.#kv, { per_page: 100 });
  }

  /** Whether nothing is in a KV namespace. */
  async kvIsEmpty(id: string): Promise<boolean | undefined> {
    // The most of a page: where all of it has just expired, the next one is read.
    const found = await this.#optional((api) => api.filledPage(`${this.#kv}${at`/${id}`}/keys`, { limit: 1_000 }));
    return found && found.length === 0;
  }

  async databases(): Promise<v.InferOutput<typeof Databases> | undefined> {
    return this.#listed("D1 databases", Databases, this.#d1, { per_page: 100 });
  }

  /** Whether no table is in a D1 database. */
  async databaseIsEmpty(id: string): Promise<boolean | undefined> {
    const found = await this.#optional((api) => api.get(`${this.#d1}${at`/${id}`}`));
    const tables = found && checked("a D1 database", Database, found).num_tables;
    return tables === undefined || tables === null ? undefined : tables === 0;
  }

  bucketExists(name: string, jurisdiction?: string): Promise<boolean | undefined> {
    return this.#exists(this.#bucket(name), inJurisdiction(jurisdiction));
  }

  /** Whether nothing is in a bucket. */
  async bucketIsEmpty(name: string, jurisdiction?: string): Promise<boolean | undefined> {
    const found = await this.#optional((api) =>
      api.filledPage(`${this.#bucket(name)}/objects`, { per_page: 1 }, inJurisdiction(jurisdiction)),
    );
    return found && found.length === 0;
  }

  async domains(): Promise<v.InferOutput<typeof Domains> | undefined> {
    return this.#listed("custom domains", Domains, at`/accounts/${this.accountId}/workers/domains`);
  }

  async routes(zoneId: string): Promise<v.InferOutput<typeof Routes> | undefined> {
    return this.#listed("routes", Routes, at`/zones/${zoneId}/workers/routes`);
  }

  /** The cron triggers of a Worker; undefined where the account cannot be asked, or refuses. */
  async crons(workerName: string): Promise<readonly string[] | undefined> {
    const path = at`/accounts/${this.accountId}/workers/scripts/${workerName}/schedules`;
    const found = await this.#optional((api) => api.get(path));
    return found && checked("cron triggers", Schedules, found).schedules.map(({ cron }) => cron);
  }

  /** The events that a Worker's code handles (`fetch`, `queue`); undefined where the account cannot be asked, or refuses. */
  async handlers(workerName: string): Promise<readonly string[] | undefined> {
    const found = await this.#listed("Workers' handlers", Scripts, at`/accounts/${this.accountId}/workers/scripts`);
    return found?.find(({ id }) => id === workerName)?.handlers;
  }

  get #durableObjects(): string {
    return at`/accounts/${this.accountId}/workers/durable_objects`;
  }

  get #kv(): string {
    return at`/accounts/${this.accountId}/storage/kv/namespaces`;
  }

  get #d1(): string {
    return at`/accounts/${this.accountId}/d1/database`;
  }

  #bucket(name: string): string {
    return at`/accounts/${this.accountId}/r2/buckets/${name}`;
  }

  async #listed<Schema extends v.GenericSchema>(
    what: string,
    schema: Schema,
    path: string,
    query?: Parameters<Api["list"]>[1],
  ): Promise<v.InferOutput<Schema> | undefined> {
    const found = await this.#optional((api) => api.list(path, query));
    return found && checked(what, schema, found);
  }

  #exists(path: string, extra: Parameters<Api["find"]>[1] = {}): Promise<boolean | undefined> {
    return this.#optional(async (api) => (await api.find(path, extra)) !== undefined);
  }

  /** Undefined where the API refuses. That it fails says nothing of what is there: it is an error, but to `lenient` reads. */
  async #optional<T>(read: (api: Api) => Promise<T>): Promise<T | undefined> {
    try {
      return this.#api && (await read(this.#api));
    } catch (error) {
      if (error instanceof ApiError && this.#passes(error)) return undefined;
      throw error;
    }
  }
}

/** How the account is read for a plan. An outage may be why somebody goes back: what is read besides does not stop that. */
export interface PlanReads {
  /** Whose failures are no answer: of what an update makes or takes over, because the state does not have it. */
  readonly certain: Reads;
  /** For all else. They pass over failures where the traffic goes back. */
  readonly besides: Reads;
}

/** @throws Error when an answer of Cloudflare's is not what its documentation says. */
function checked<Schema extends v.GenericSchema>(what: string, schema: Schema, answer: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, answer);
  if (result.success) return result.output;
  throw new Error(`Cloudflare's answer about ${what} is not as documented: ${issueLines(result.issues).join("; ")}`);
}
