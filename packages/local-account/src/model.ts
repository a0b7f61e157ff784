/** The records of an account. Every record is plain JSON and immutable: a change replaces it (store.ts). */

/** A Worker: its name, its settings outside versions, and the state of its class lifecycle. */
export interface Worker {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
  readonly updatedOn: string;
  readonly deployedOn: string | null;
  readonly logpush: boolean;
  readonly observability: Observability;
  readonly subdomain: { readonly enabled: boolean; readonly previews_enabled: boolean };
  readonly tags: readonly string[];
  readonly tailConsumers: readonly TailConsumer[];
  readonly schedules: readonly Schedule[];
  /** How many versions it ever had. The next version gets this number plus one, so no number is used twice. */
  readonly versionCount: number;
  /** The tag of the last legacy migration that was applied. */
  readonly migrationTag: string | null;
  /** Whether it was ever deployed with `exports`: from then on every deployment is reconciled. */
  readonly usesExports: boolean;
  /** The number of the last version that changed the classes. Earlier versions cannot serve again. */
  readonly lifecycleFloor: number;
}

/** Stored and returned as it was sent, with Cloudflare's defaults added. */
export type Observability = Readonly<Record<string, unknown>> & { readonly enabled: boolean };

interface TailConsumer {
  readonly name?: string | undefined;
  readonly service?: string | undefined;
  readonly environment?: string | undefined;
}

export interface Schedule {
  readonly cron: string;
  readonly createdOn: string;
  readonly modifiedOn: string;
}

/** An uploaded version: code, bindings, compatibility. It never changes, except that its deployment adds a report. */
export interface Version {
  readonly id: string;
  readonly workerId: string;
  readonly number: number;
  readonly createdOn: string;
  /** The client or action that made it: `api`, `wrangler`, `secret_edit`… */
  readonly source: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly bindings: readonly Binding[];
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** Null if the Worker has static assets and no script. */
  readonly mainModule: string | null;
  readonly modules: readonly Module[];
  readonly assets?: Assets;
  readonly code: CodeExports;
  /** As declared, with tombstones; null if the upload had no `exports`. */
  readonly exports: Readonly<Record<string, ExportEntry>> | null;
  readonly migrations: Migrations | null;
  /** `limits`, `placement`, `usage_model`, `cache_options`…: stored and returned, without effect here. */
  readonly extras: Readonly<Record<string, unknown>>;
  readonly startupTimeMs: number;
  /** Set once its class lifecycle was applied: the report, and the tag that was reached. */
  readonly report: ReconciliationReport | null;
  readonly migrationTag: string | null;
  /** When it was first deployed. Its legacy migrations are applied then, and never again. */
  readonly deployedOn: string | null;
}

export interface Module {
  readonly name: string;
  readonly contentType: string;
  /** The hash of the contents, under which they are stored (store.ts). */
  readonly sha256: string;
  readonly size: number;
}

/** The static assets of a version. */
export interface Assets {
  /** The hash under which the manifest is stored (store.ts): a `Manifest` (assets/manifest.ts) in JSON. */
  readonly manifest: string;
  readonly files: number;
  readonly config: AssetsConfig;
}

/** How to serve static assets. Missing members have Cloudflare's defaults. */
export interface AssetsConfig {
  /** The path of all assets: `/` or `/app/`. */
  readonly basePath: string;
  readonly htmlHandling?: "auto-trailing-slash" | "force-trailing-slash" | "drop-trailing-slash" | "none";
  readonly notFoundHandling?: "none" | "404-page" | "single-page-application";
  /** Whether the script gets every request first, or the path patterns where it does. */
  readonly runWorkerFirst?: boolean | readonly string[];
  /** The contents of `_headers` and `_redirects`. */
  readonly headers?: string;
  readonly redirects?: string;
}

/** A static asset of the account. Its id is the client's hash and the size (assets/manifest.ts, `fileId`). */
export interface AssetFile {
  readonly id: string;
  /** The name of the file with its contents (assets/files.ts). */
  readonly sha256: string;
}

/** A registered manifest. Its files are kept until it expires or a version has them. */
export interface AssetSession {
  readonly id: string;
  /** The hash under which the manifest is stored. */
  readonly manifest: string;
  readonly files: number;
  readonly expiresOn: string;
  /** Whether a version was made with it. From then on its files belong to that version. */
  readonly redeemed: boolean;
}

/** A bundle's exports, as workerd sees them. */
export interface CodeExports {
  /** The handlers of the default export: `fetch`, `scheduled`, … */
  readonly handlers: readonly string[];
  /** The named exports that are classes or functions, by the base class of `cloudflare:workers` that they extend. */
  readonly named: Readonly<Record<string, "durable-object" | "worker" | "workflow" | "function">>;
}

/** A binding as uploaded. A Durable Object binding also has the id of its namespace. */
export interface Binding {
  readonly name: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An entry of `exports` as sent. lifecycle.ts checks it, so that all mistakes are reported together. */
export interface ExportEntry {
  readonly type: string;
  readonly state?: string | undefined;
  readonly storage?: string | undefined;
  readonly renamed_to?: string | undefined;
  readonly transferred_to?: string | undefined;
  readonly transfer_from?: string | undefined;
  readonly [field: string]: unknown;
}

/** A legacy `migrations` object in its multi-step form. */
export interface Migrations {
  readonly oldTag: string | null;
  readonly newTag: string | null;
  readonly steps: readonly MigrationStep[];
}

export interface MigrationStep {
  readonly deletedClasses: readonly string[];
  readonly renamedClasses: readonly { readonly from: string; readonly to: string }[];
  readonly newClasses: readonly string[];
  readonly newSqliteClasses: readonly string[];
  readonly transferredClasses: readonly { readonly from: string; readonly fromScript: string; readonly to: string }[];
}

/** Cloudflare's `exports_reconciliation`, field for field. */
export interface ReconciliationReport {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly deleted: readonly string[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  readonly transferred: readonly { readonly class: string; readonly to: string; readonly phase: "committed" }[];
  readonly transfer_pending: readonly { readonly class: string; readonly from: string }[];
  readonly warnings: readonly ReconciliationNote[];
  readonly info: readonly ReconciliationNote[];
  readonly removable_entries: readonly string[];
}

export interface ReconciliationNote {
  readonly class: string;
  readonly scenario: string;
  readonly message: string;
  readonly suggestion?: string;
  readonly namespace_id?: string;
  readonly referencing_scripts?: readonly string[];
}

/** The versions that get a Worker's traffic since `createdOn`. A Worker's newest deployment is in force. */
export interface Deployment {
  readonly id: string;
  readonly workerId: string;
  readonly createdOn: string;
  readonly source: string;
  readonly versions: readonly Share[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Share {
  readonly version_id: string;
  readonly percentage: number;
}

export type Storage = "sqlite" | "legacy-kv";

/** A Durable Object namespace: a class of a Worker, and its objects, whose data is stored under the namespace's id. */
export interface Namespace {
  readonly id: string;
  readonly workerId: string;
  readonly className: string;
  readonly storage: Storage;
  /** The Worker that transferred it to this one, if any. */
  readonly transferredFrom: string | null;
}

/** Recorded by an `expecting-transfer` entry: `workerId` waits for `className` of the Worker named `from`. */
export interface PendingTransfer {
  readonly id: string;
  readonly workerId: string;
  readonly className: string;
  readonly from: string;
}

export interface KvNamespace {
  readonly id: string;
  readonly title: string;
}

export interface Bucket {
  readonly id: string;
  readonly name: string;
  readonly jurisdiction: string;
  readonly location: string;
  readonly storageClass: string;
  readonly createdOn: string;
  /** Undefined if none was ever set. */
  readonly cors?: readonly CorsRule[];
  /** Undefined for Cloudflare's default. */
  readonly lifecycle?: readonly LifecycleRule[];
}

/** Which pages may use a bucket from a browser. */
export interface CorsRule {
  readonly id?: string;
  readonly allowed: {
    readonly origins: readonly string[];
    readonly methods: readonly string[];
    readonly headers?: readonly string[];
  };
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** When objects of a bucket expire. Ages are in seconds. */
export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly conditions: { readonly prefix: string };
  readonly deleteObjectsTransition?: { readonly condition: AgeCondition | DateCondition };
  readonly abortMultipartUploadsTransition?: { readonly condition: AgeCondition };
}

interface AgeCondition {
  readonly type: "Age";
  readonly maxAge: number;
}

interface DateCondition {
  readonly type: "Date";
  readonly date: string;
}

/** A D1 database. */
export interface Database {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
  readonly jurisdiction: string | null;
}

/** The address of a database outside, with the password. */
export interface Hyperdrive {
  readonly id: string;
  readonly name: string;
  readonly origin: {
    readonly scheme: "postgres" | "postgresql" | "mysql";
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
  };
  /** Kept and shown: nothing is cached here. */
  readonly caching: { readonly disabled: boolean };
  readonly connectionLimit?: number;
  readonly createdOn: string;
  readonly modifiedOn: string;
}

/** A queue. Times are in seconds. */
export interface Queue {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
  readonly modifiedOn: string;
  readonly deliveryDelay: number;
  readonly deliveryPaused: boolean;
  readonly retentionSeconds: number;
  /** When all messages were last deleted. */
  readonly purgedOn: string | null;
}

/** Who gets the messages of a queue: a Worker's `queue` handler, or clients that pull. */
export interface Consumer {
  readonly id: string;
  readonly queueId: string;
  readonly type: "worker" | "http_pull";
  /** Null if clients pull. */
  readonly workerId: string | null;
  /** The name of another queue. */
  readonly deadLetterQueue: string | null;
  readonly batchSize: number;
  readonly maxRetries: number;
  readonly maxWaitMs: number;
  readonly maxConcurrency: number | null;
  /** In seconds. */
  readonly retryDelay: number;
  readonly visibilityTimeoutMs: number;
  readonly createdOn: string;
}

/** A workflow: a class of a Worker, by which instances run step by step. */
export interface Workflow {
  readonly id: string;
  readonly name: string;
  readonly workerId: string;
  readonly className: string;
  /** How many steps an instance may have; null for Cloudflare's default. */
  readonly steps: number | null;
  readonly createdOn: string;
  readonly modifiedOn: string;
  readonly triggeredOn: string | null;
  /** Every `PUT` makes a version; the newest has this id. */
  readonly versionId: string;
  readonly versions: readonly { readonly id: string; readonly className: string; readonly createdOn: string }[];
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
}

/** A zone's route: requests to `pattern` go to the Worker `script`. Null excludes the pattern from a wider route. */
export interface Route {
  readonly id: string;
  readonly zoneId: string;
  readonly pattern: string;
  readonly script: string | null;
}

/** A custom domain: every request to the host goes to the Worker. */
export interface Domain {
  readonly id: string;
  readonly hostname: string;
  readonly service: string;
  readonly zoneId: string;
  readonly certId: string;
}

/** What one change of the account created, changed and removed (history.ts). */
export interface HistoryEntry {
  readonly id: string;
  readonly at: string;
  readonly items: readonly HistoryItem[];
}

export interface HistoryItem {
  readonly sign: "+" | "-" | "~";
  /** The kind of thing: Worker, class, version, traffic, KV namespace, … */
  readonly what: string;
  readonly name: string;
  /** The Worker that it belongs to. */
  readonly worker?: string;
  readonly detail?: string;
}

/** The account's own record. */
export interface Identity {
  readonly id: "account";
  readonly accountId: string;
  readonly token: string;
  readonly subdomain: string;
  readonly createdOn: string;
}

/** Every collection of the account, by name. A record's `id` is its key. */
export interface Records {
  identity: Identity;
  workers: Worker;
  versions: Version;
  deployments: Deployment;
  namespaces: Namespace;
  transfers: PendingTransfer;
  kvNamespaces: KvNamespace;
  buckets: Bucket;
  databases: Database;
  hyperdrives: Hyperdrive;
  queues: Queue;
  consumers: Consumer;
  workflows: Workflow;
  zones: Zone;
  routes: Route;
  domains: Domain;
  assetFiles: AssetFile;
  assetSessions: AssetSession;
  history: HistoryEntry;
}

/** The account at one moment; immutable. Collections keep the order in which records were added. */
export type State = { readonly [Name in keyof Records]: ReadonlyMap<string, Records[Name]> };
