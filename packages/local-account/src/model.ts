/** What an account consists of. Every record is plain JSON and immutable: a change replaces it (store.ts). */

/** A Worker: a name, its settings that are not part of a version, and where its class lifecycle stands. */
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
  /** How many versions it ever had: the next one gets this plus one, and no number comes back. */
  readonly versionCount: number;
  /** Tag of the last step of a legacy `migrations` array that was applied. */
  readonly migrationTag: string | null;
  /** Deployed with `exports` once: from then on every deployment is reconciled against them. */
  readonly usesExports: boolean;
  /** Number of the version that changed the classes last: versions before it cannot serve again. */
  readonly lifecycleFloor: number;
}

/** Stored and returned as it was sent, with Cloudflare's defaults filled in. */
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

/** An uploaded Worker: code, bindings, compatibility. It never changes, but for what its deployment adds. */
export interface Version {
  readonly id: string;
  readonly workerId: string;
  readonly number: number;
  readonly createdOn: string;
  /** Which client made it: `api`, `wrangler`, `secret_edit`… */
  readonly source: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly bindings: readonly Binding[];
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** Null when the Worker has static assets and no script. */
  readonly mainModule: string | null;
  readonly modules: readonly Module[];
  readonly assets?: Assets;
  readonly code: CodeExports;
  /** As declared, tombstones included; null when the upload had none. */
  readonly exports: Readonly<Record<string, ExportEntry>> | null;
  readonly migrations: Migrations | null;
  /** `limits`, `placement`, `usage_model`, `cache_options`…: kept and returned, of no effect here. */
  readonly extras: Readonly<Record<string, unknown>>;
  readonly startupTimeMs: number;
  /** Set when its lifecycle was applied: the report of that, and the tag that was reached. */
  readonly report: ReconciliationReport | null;
  readonly migrationTag: string | null;
  /** First time it was deployed. Its legacy migrations are applied then, and never again. */
  readonly deployedOn: string | null;
}

export interface Module {
  readonly name: string;
  readonly contentType: string;
  /** Address of the contents among the blobs (store.ts). */
  readonly sha256: string;
  readonly size: number;
}

/** The static assets of a version. */
export interface Assets {
  /** Address of the manifest among the blobs (store.ts): a `Manifest` (assets/manifest.ts) in JSON. */
  readonly manifest: string;
  readonly files: number;
  readonly config: AssetsConfig;
}

/** How static assets are served. What is not there has Cloudflare's default. */
export interface AssetsConfig {
  /** Path under which they are: `/` or `/app/`. */
  readonly basePath: string;
  readonly htmlHandling?: "auto-trailing-slash" | "force-trailing-slash" | "drop-trailing-slash" | "none";
  readonly notFoundHandling?: "none" | "404-page" | "single-page-application";
  /** Whether the script has every request first, or the patterns of paths where it has. */
  readonly runWorkerFirst?: boolean | readonly string[];
  /** Contents of `_headers` and `_redirects`. */
  readonly headers?: string;
  readonly redirects?: string;
}

/** A static asset that the account holds. Its id is the client's hash and the size (assets/manifest.ts, `fileId`). */
export interface AssetFile {
  readonly id: string;
  /** Name of the file with its contents (assets/files.ts). */
  readonly sha256: string;
}

/** A manifest that was registered, and whose files are kept for it until it expires or a version has them. */
export interface AssetSession {
  readonly id: string;
  /** Address of the manifest among the blobs. */
  readonly manifest: string;
  readonly files: number;
  readonly expiresOn: string;
  /** Whether a version was made of it: from then on its files are that version's. */
  readonly redeemed: boolean;
}

/** What workerd says a bundle exports. */
export interface CodeExports {
  /** Handlers of the default export: `fetch`, `scheduled`, … */
  readonly handlers: readonly string[];
  /** Named exports that are classes or functions, and whether they extend a base class of `cloudflare:workers`. */
  readonly named: Readonly<Record<string, "durable-object" | "worker" | "workflow" | "function">>;
}

/** A binding as uploaded; a Durable Object's carries the id of the namespace that it was resolved to. */
export interface Binding {
  readonly name: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An entry of `exports` as sent. Its rules are in lifecycle.ts, so that all mistakes are reported together. */
export interface ExportEntry {
  readonly type: string;
  readonly state?: string | undefined;
  readonly storage?: string | undefined;
  readonly renamed_to?: string | undefined;
  readonly transferred_to?: string | undefined;
  readonly transfer_from?: string | undefined;
  readonly [field: string]: unknown;
}

/** A legacy `migrations` object, brought to its multi-step form. */
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

/** Where a Worker's traffic goes since `createdOn`. The newest one of a Worker is in force. */
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

/** A Durable Object namespace: a class of a Worker, and the data of its objects, which are kept under its id. */
export interface Namespace {
  readonly id: string;
  readonly workerId: string;
  readonly className: string;
  readonly storage: Storage;
  /** The Worker that handed it over, if one did. */
  readonly transferredFrom: string | null;
}

/** What an `expecting-transfer` entry recorded: `workerId` waits for `className` of the Worker named `from`. */
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
}

/** A D1 database. */
export interface Database {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
  readonly jurisdiction: string | null;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly createdOn: string;
}

/** A zone's route: requests to `pattern` go to the Worker `script`; null is a hole in a wider pattern. */
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

/** What one change of the account made, changed and removed (history.ts). */
export interface HistoryEntry {
  readonly id: string;
  readonly at: string;
  readonly items: readonly HistoryItem[];
}

export interface HistoryItem {
  readonly sign: "+" | "-" | "~";
  /** What it is: Worker, class, version, traffic, KV namespace, … */
  readonly what: string;
  readonly name: string;
  /** The Worker that it belongs to. */
  readonly worker?: string;
  readonly detail?: string;
}

/** The one record about the account itself. */
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
  zones: Zone;
  routes: Route;
  domains: Domain;
  assetFiles: AssetFile;
  assetSessions: AssetSession;
  history: HistoryEntry;
}

/** A moment of the account: nothing in it ever changes. Collections keep the order in which records came. */
export type State = { readonly [Name in keyof Records]: ReadonlyMap<string, Records[Name]> };
