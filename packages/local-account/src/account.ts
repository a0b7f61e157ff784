/**
 * The account: its state on disk, the runtime of its Workers, and the only way to change it.
 *
 * A change is one draft. It is checked, started, and written, in this order. If it fails before it is written, the
 * account stays as it was, on disk and in the runtime.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runningAccount } from "./address.ts";
import { AssetFiles } from "./assets/files.ts";
import { forgetUnused } from "./assets/sessions.ts";
import { Bookmarks, sweepBookmarks } from "./bookmarks.ts";
import { faultOfDisk, isOfFullDisk, isOfFullRuntime } from "./disk.ts";
import { CannotStart, closing } from "./errors.ts";
import { Exceptions } from "./exceptions.ts";
import { itemsBetween, nextEntry } from "./history.ts";
import { newTag } from "./ids.ts";
import type { Identity, State } from "./model.ts";
import type { Plan } from "./options.ts";
import { tailEventOf } from "./overruns.ts";
import { ASSETS_FOLDER, DATA_FOLDER, dataIn, inFolder, makeFolders, ownFile, STATE_FILE } from "./own-files.ts";
import type { Workload } from "./runtime/composition.ts";
import type { Overrun } from "./runtime/cpu-limit.ts";
import { databaseFile } from "./runtime/databases.ts";
import { ObjectFiles } from "./runtime/objects.ts";
import { Runtime } from "./runtime/runtime.ts";
import { Stacks } from "./source-maps.ts";
import { Draft, Store, StoreDamaged, StoreLocked, type WriteHook } from "./store.ts";
import { checkConsumers } from "./tail-consumers.ts";
import { Tails } from "./tails.ts";
import { removedFirst, tidied } from "./tidy.ts";
import { eventOf, shownLine } from "./traces.ts";
import type { Upload } from "./upload.ts";
import { allBindings, type Inspection } from "./versions.ts";

interface AccountOptions {
  readonly dir: string;
  readonly plan: Plan;
  /** The token of a new account. An existing account keeps its own. */
  readonly token?: string | undefined;
  readonly onWrite?: WriteHook | undefined;
  readonly onLog?: ((line: string) => void) | undefined;
  /** By default it has one (runtime/cpu-limit.ts). */
  readonly hasCpuLimit?: boolean;
  /** Told the addresses of Workers in workerd, by their names, whenever they are others. Without it they have none. */
  readonly onDirect?: ((addresses: ReadonlyMap<string, string>) => void) | undefined;
  /** Gets an exception of a Worker with its frames. */
  readonly onException?: (text: string) => void;
  /** The source map of a module, by the sha256 of its contents, where none was uploaded with it. */
  readonly sourceMapOf?: ((sha256: string) => Uint8Array | undefined) | undefined;
  /** Told of a Worker that computed for too long and was ended. */
  readonly onOverrun?: (overrun: Overrun) => void;
}

/** The folder in it for bookmarks of D1 databases. */
const BOOKMARKS_FOLDER = "d1-bookmarks";

interface Parts {
  readonly tails: Tails;
  readonly exceptions: Exceptions;
  readonly assets: AssetFiles;
  readonly data: string;
}

/** Thrown if an account is already running on the directory. */
export class DirectoryInUse extends CannotStart {}
/** Thrown if the state is no database, or a damaged one. */
export class Unreadable extends CannotStart {}

export class Account {
  readonly plan: Plan;
  readonly runtime: Runtime;
  readonly tails: Tails;
  readonly exceptions: Exceptions;
  readonly assets: AssetFiles;
  readonly objects: ObjectFiles;
  readonly #data: string;
  readonly #store: Store;
  readonly #onWrite: WriteHook;
  #last: Promise<unknown> = Promise.resolve();
  /** Set once it closes. */
  #closed: Promise<void> | undefined;
  /** Whether all that the state no longer refers to is removed. */
  #isSwept = true;

  /** Opens the account of a directory, or makes one, and starts its Workers. */
  static async open(options: AccountOptions): Promise<Account> {
    if (!existsSync(path.join(options.dir, STATE_FILE))) refuseData(options.dir);
    makeFolders(options.dir);
    const store = Account.lock(options.dir, options.onWrite);
    try {
      if (store.state.identity.size === 0) {
        refuseData(options.dir);
        const draft = new Draft(store);
        draft.put("identity", newIdentity(options.token));
        store.commit(draft);
      }
      const tails: Tails = new Tails((worker) => runtime.untail(worker));
      const stacks = new Stacks((sha256) => store.blob(sha256), options.sourceMapOf);
      const exceptions = new Exceptions(options.onException ?? (() => {}));
      const assets = new AssetFiles(path.join(options.dir, ASSETS_FOLDER));
      const data = path.join(options.dir, DATA_FOLDER);
      const runtime: Runtime = await Runtime.start(
        { directory: data, assets, hasCpuLimit: options.hasCpuLimit ?? true },
        workloadOf(store),
        {
          onTrace: (trace, state) => {
            const event = eventOf(trace, state, stacks);
            exceptions.traced(event);
            tails.publish(event);
          },
          onLog: options.onLog,
          shown: (line, state) => shownLine(line, state, stacks),
          onDirect: options.onDirect,
          onOverrun: (overrun) => {
            const event = tailEventOf(overrun);
            if (event !== undefined) tails.publish(event);
            options.onOverrun?.(overrun);
          },
        },
      );
      const account = new Account(store, runtime, { tails, exceptions, assets, data }, options);
      try {
        await account.#sweep();
        return account;
      } catch (error) {
        await runtime.close();
        throw error;
      }
    } catch (error) {
      store.close();
      throw refusalOf(options.dir, error) ?? error;
    }
  }

  /** Opens the state without starting Workers. @throws DirectoryInUse, Unreadable, or CannotStart */
  static lock(dir: string, onWrite?: WriteHook): Store {
    const file = path.join(dir, STATE_FILE);
    try {
      ownFile(file);
      return Store.open(file, onWrite);
    } catch (error) {
      if (error instanceof StoreLocked)
        throw new DirectoryInUse(
          `${dir} is in use by another account${whose(dir)}. Stop that one, or choose another --dir.`,
        );
      if (error instanceof StoreDamaged) throw new Unreadable(error.message);
      const fault = faultOfDisk(error);
      throw fault === undefined ? error : new CannotStart(`${file} cannot be opened (${fault}). Choose another --dir.`);
    }
  }

  private constructor(
    store: Store,
    runtime: Runtime,
    { tails, exceptions, assets, data }: Parts,
    { plan, onWrite = () => {} }: AccountOptions,
  ) {
    this.#onWrite = onWrite;
    this.#store = store;
    this.runtime = runtime;
    this.tails = tails;
    this.exceptions = exceptions;
    this.assets = assets;
    this.#data = data;
    this.objects = new ObjectFiles(data);
    this.plan = plan;
  }

  get state(): State {
    return this.#store.state;
  }

  get identity(): Identity {
    const identity = this.state.identity.get("account");
    if (identity === undefined) throw new Error("account.db has no account in it");
    return identity;
  }

  /** Contents of a module or a manifest. */
  blob(sha256: string): Uint8Array {
    return this.#store.blob(sha256);
  }

  /** The SQLite file of a D1 database. It may not exist yet. */
  databaseFile(id: string): string {
    return databaseFile(path.join(this.#data, "d1"), id);
  }

  /** The bookmarks of a D1 database. */
  bookmarksOf(id: string): Bookmarks {
    return new Bookmarks(path.join(this.#data, BOOKMARKS_FOLDER, id), this.databaseFile(id));
  }

  /** Starts the modules of an upload to a Worker once, and returns what they export. Without an id, the Worker is new. */
  async inspect(upload: Upload, workerId: string | undefined): Promise<Inspection> {
    return this.runtime.inspect({ ...upload, bindings: allBindings(this.state, workerId, upload) });
  }

  /**
   * Makes one change after the other. If `work` throws, or the result does not start, nothing changes. What `work` checks
   * and builds on it must read from the draft: while a change waits for its turn, others are made.
   */
  change<T>(work: (draft: Draft) => T): Promise<T> {
    return this.#inTurn(() => this.#change(work));
  }

  /** Makes all KV namespaces, buckets and databases reachable for the REST API (`runtime.calls.kv`, `.bucket`, `.query`). */
  reachStorage(): Promise<void> {
    return this.#inTurn(() => this.#reachStorage());
  }

  /** Does several of these in one turn, in which nothing else changes. `work` may use no others of this class. */
  turn<T>(work: (inTurn: Pick<Account, "change" | "reachStorage">) => Promise<T>): Promise<T> {
    return this.#inTurn(() =>
      work({ change: (change) => this.#change(change), reachStorage: () => this.#reachStorage() }),
    );
  }

  /** Lets `work` copy the files of the account: meanwhile nothing writes, and requests wait. */
  whileStill(work: () => Promise<void>): Promise<void> {
    return this.#inTurn(() =>
      this.runtime.whileStopped(async () => {
        this.#store.checkpoint();
        await work();
      }),
    );
  }

  /** Runs a version beside the serving ones, for its preview address. */
  preview(versionId: string): Promise<void> {
    return this.#inTurn(() => this.runtime.preview(versionId, workloadOf(this.#store)));
  }

  /** Sends all events of a Worker to `tails`. Each call is for one tail that is opened next: it lasts until that ends. */
  tail(worker: string): Promise<void> {
    return this.runtime.tail(worker);
  }

  /** Ends it once the change that has begun is made. Those that wait for their turn, and later ones, are refused. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.runtime.close();
    this.#store.close();
  }

  async #change<T>(work: (draft: Draft) => T): Promise<T> {
    const draft = new Draft(this.#store);
    const result = work(draft);
    if (draft.lost("versions")) forgetUnused(draft, Date.now());
    if (draft.changes.length === 0) return result;
    const previous = this.state;
    checkConsumers(draft.state, previous);
    remember(draft, previous);
    // What is left of a deleted thing must be gone before there is another of its name, which would have its data.
    if (!this.#isSwept) await removedFirst(() => this.#sweep());
    this.#isSwept = true;
    this.#onWrite("before run");
    await this.runtime.change(workloadOf(draft), () => this.#store.commit(draft));
    this.#onWrite("before sweep");
    if (draft.lost("namespaces", "kvNamespaces", "buckets", "databases", "queues", "workflows", "assetFiles"))
      this.#isSwept = await tidied(() => this.#sweep());
    this.#onWrite("after sweep");
    return result;
  }

  #reachStorage(): Promise<void> {
    return this.runtime.reachStorage(workloadOf(this.#store));
  }

  /** Removes files that the state no longer refers to. */
  async #sweep(): Promise<void> {
    await this.runtime.sweep(this.state);
    await sweepBookmarks(path.join(this.#data, BOOKMARKS_FOLDER), new Set(this.state.databases.keys()));
    await this.assets.sweep(new Set([...this.state.assetFiles.values()].map(({ sha256 }) => sha256)));
  }

  /** @throws ApiError 503 if the account closes before it is its turn. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const begin = () => {
      if (this.#closed !== undefined) throw closing();
      return work();
    };
    const turn = this.#last.then(begin, begin);
    this.#last = turn;
    return turn;
  }
}

/** What to run of a state as it is now, or as it would be. */
const workloadOf = (of: Store | Draft): Workload => ({ state: of.state, blob: (sha256) => of.blob(sha256) });

/**
 * A new account must not begin with data that it does not know: it would delete it, as that of things that are gone.
 * @throws CannotStart
 */
export function refuseData(dir: string): void {
  const file = path.join(dir, STATE_FILE);
  const found = inFolder(dir, () => dataIn(dir));
  if (found === undefined) return;
  throw new CannotStart(
    existsSync(file)
      ? `${file} has no account in it, but ${found} is not empty. Load a snapshot in its place (snapshot load --fresh), choose another --dir, or lose that data with --fresh.`
      : `${found} is not empty, and no account's: there is no ${STATE_FILE} in ${dir}. Choose another --dir, load a snapshot into one, or remove ${found} first.`,
  );
}

/** Adds the draft's changes to the history, and drops the oldest entries. */
function remember(draft: Draft, previous: State): void {
  const items = itemsBetween(previous, draft.state);
  if (items.length === 0) return;
  const { id, dropped } = nextEntry(draft.state.history);
  draft.put("history", { id, at: new Date().toISOString(), items });
  for (const old of dropped) draft.delete("history", old);
}

/** What of an error is the disk's fault, or that of what lies in the folder; undefined where it is a bug. */
function refusalOf(dir: string, error: unknown): CannotStart | undefined {
  if (isOfFullRuntime(error)) {
    return new CannotStart(
      `The Workers runtime cannot start: a disk is full. Make room for ${dir}, and for temporary files (${tmpdir()}).`,
    );
  }
  const fault = faultOfDisk(error);
  if (fault === undefined) return undefined;
  if (isOfFullDisk(error)) return new CannotStart(`${dir} cannot be written (${fault}). Make room there.`);
  const isInside = error instanceof Error && "path" in error && String(error.path).startsWith(dir);
  const isState = error instanceof Error && "errcode" in error;
  if (!isInside && !isState) return undefined;
  return new CannotStart(`${dir} cannot be the folder of an account (${fault}). Choose another --dir.`);
}

/** Names the account that uses the directory, if its address file tells. */
function whose(dir: string): string {
  const holder = runningAccount(dir);
  return holder ? ` (process ${holder.pid}, ${holder.apiUrl})` : "";
}

function newIdentity(token: string | undefined): Identity {
  return {
    id: "account",
    accountId: newTag(),
    // As long as Cloudflare's, 40 to 80 characters: the Pulumi provider takes no other.
    token: token ?? `local-${newTag()}-${newTag().slice(0, 8)}`,
    subdomain: "local",
    createdOn: new Date().toISOString(),
  };
}
