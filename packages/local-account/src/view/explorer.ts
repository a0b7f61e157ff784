/** Reads stored data for the page: objects and their tables, D1 databases, KV keys and values, objects of buckets. */
import type { Account } from "../account.ts";
import type { Namespace } from "../model.ts";
import { objectIdOf, type SetAlarm } from "../runtime/objects.ts";
import { readDatabase } from "../runtime/sqlite.ts";
import type { KvAccess } from "../runtime/storage.ts";
import { rowsOf, shortened, tablesOf } from "../runtime/tables.ts";
import { shownNamespace } from "./overview.ts";
import type {
  BucketObjects,
  Contents,
  DatabaseContents,
  FoundObject,
  KvKeys,
  KvValue,
  ObjectContents,
  ObjectList,
  Page,
  ShownObject,
} from "./shapes.ts";

/** How many rows, objects or keys are on a page. */
const PAGE_SIZE = 50;
/** Up to this many objects are sorted by their last write. Each costs a look at its file. */
const MOST_ORDERED = 2_000;

const OBJECT_ID = /^[0-9a-f]{64}$/;

/** Something does not exist. The message is for a person. */
export class NotThere extends Error {}

export class Explorer {
  readonly #account: Account;
  /** Known names by object id: from a look-up or an alarm. An id alone does not reveal its name. */
  readonly #names = new Map<string, string>();

  constructor(account: Account) {
    this.#account = account;
  }

  /** A page of a namespace's objects, last written first. */
  async objects(namespaceId: string, page: number): Promise<ObjectList> {
    const namespace = this.#namespace(namespaceId);
    const ids = await this.#account.objects.ids(namespaceId);
    const alarms = await this.#alarms(namespace);
    const show = (id: string) => this.#shown(namespace, id, alarms);
    const here = paged(ids.length, page);
    const isOrdered = ids.length <= MOST_ORDERED;
    const shown = isOrdered ? (await Promise.all(ids.map(show))).sort(byWriting) : ids;
    const part = shown.slice(here.offset, here.offset + PAGE_SIZE);
    return {
      ...pageOf(here),
      namespace: await shownNamespace(this.#account, namespace),
      order: isOrdered ? "written" : "id",
      objects: await Promise.all(part.map((item) => (typeof item === "string" ? show(item) : item))),
    };
  }

  /** The object of a namespace with this name. */
  async find(namespaceId: string, name: string): Promise<FoundObject> {
    const namespace = this.#namespace(namespaceId);
    const id = OBJECT_ID.test(name) ? name : objectIdOf(namespace.id, name);
    const exists = (await this.#account.objects.file(namespaceId, id)) !== undefined;
    if (exists && id !== name) this.#names.set(id, name);
    return { id, name, exists };
  }

  /** An object's tables, and a page of rows: of the named table, else of the first that has rows. */
  async object(
    namespaceId: string,
    objectId: string,
    table: string | undefined,
    page: number,
  ): Promise<ObjectContents> {
    const namespace = this.#namespace(namespaceId);
    const file = OBJECT_ID.test(objectId) ? this.#account.objects.path(namespaceId, objectId) : undefined;
    const contents = file === undefined ? undefined : await contentsOf(file, table, page);
    if (contents === undefined)
      throw new NotThere(`${namespace.className} has no object ${objectId} that has stored anything.`);
    return {
      ...contents,
      namespace: await shownNamespace(this.#account, namespace),
      object: await this.#shown(namespace, objectId, await this.#alarms(namespace)),
    };
  }

  async database(id: string, table: string | undefined, page: number): Promise<DatabaseContents> {
    const database = this.#account.state.databases.get(id);
    if (database === undefined) throw new NotThere(`There is no D1 database ${id}.`);
    const contents = await contentsOf(this.#account.databaseFile(id), table, page);
    return { id, name: database.name, ...(contents ?? { tables: [], shown: null }) };
  }

  async keys(id: string, cursor: string | undefined): Promise<KvKeys> {
    const { title } = this.#kvNamespace(id);
    const found = await this.#kv(id, (kv) => kv.list({ limit: PAGE_SIZE, ...(cursor !== undefined && { cursor }) }));
    return {
      id,
      title,
      keys: (found?.keys ?? []).map(({ name, expiration, metadata }) => ({
        name,
        expiresAt: expiration === undefined ? null : isoOf(expiration * 1_000),
        metadata: metadata == null ? null : JSON.stringify(metadata),
      })),
      next: found === undefined || found.list_complete ? null : (found.cursor ?? null),
    };
  }

  async value(id: string, key: string): Promise<KvValue> {
    const { title } = this.#kvNamespace(id);
    const value = await this.#kv(id, (kv) => kv.get(key, "arrayBuffer"));
    if (value == null) throw new NotThere(`${title} no longer has the key "${key}".`);
    const text = textOf(value);
    const shown = text === undefined ? undefined : shortened(text);
    return { key, bytes: value.byteLength, text: shown?.value ?? null, isCut: shown?.length !== undefined };
  }

  async bucket(key: string, cursor: string | undefined): Promise<BucketObjects> {
    const bucket = this.#account.state.buckets.get(key);
    if (bucket === undefined) throw new NotThere(`There is no R2 bucket ${key}.`);
    const { runtime } = this.#account;
    const found = runtime.isReachable(key)
      ? await runtime.calls.bucket(key, (access) =>
          access.list({
            limit: PAGE_SIZE,
            include: ["httpMetadata", "customMetadata"],
            ...(cursor !== undefined && { cursor }),
          }),
        )
      : undefined;
    return {
      key,
      name: bucket.name,
      objects: (found?.objects ?? []).map(({ key: name, size, etag, uploaded, httpMetadata, customMetadata }) => ({
        key: name,
        bytes: size,
        contentType: httpMetadata?.contentType ?? null,
        uploadedAt: new Date(uploaded).toISOString(),
        etag,
        metadata:
          customMetadata === undefined || Object.keys(customMetadata).length === 0
            ? null
            : JSON.stringify(customMetadata),
      })),
      next: found?.truncated ? (found.cursor ?? null) : null,
    };
  }

  #namespace(id: string): Namespace {
    const namespace = this.#account.state.namespaces.get(id);
    if (namespace === undefined) throw new NotThere(`There is no Durable Object namespace ${id}.`);
    return namespace;
  }

  #kvNamespace(id: string) {
    const namespace = this.#account.state.kvNamespaces.get(id);
    if (namespace === undefined) throw new NotThere(`There is no KV namespace ${id}.`);
    return namespace;
  }

  /** Lets `work` read a namespace; undefined if it must be empty. (Making it reachable would restart workerd.) */
  async #kv<T>(id: string, work: (kv: KvAccess) => Promise<T>): Promise<T | undefined> {
    const { runtime } = this.#account;
    return runtime.isReachable(id) ? runtime.calls.kv(id, work) : undefined;
  }

  /** The alarms of a namespace. Remembers their objects' names, because an alarm is gone once it has fired. */
  async #alarms({ id }: Namespace): Promise<ReadonlyMap<string, SetAlarm>> {
    const alarms = await this.#account.objects.alarms(id);
    for (const [objectId, { name }] of alarms) if (name !== null) this.#names.set(objectId, name);
    return alarms;
  }

  async #shown({ id }: Namespace, objectId: string, alarms: ReadonlyMap<string, SetAlarm>): Promise<ShownObject> {
    const file = await this.#account.objects.file(id, objectId);
    const alarm = alarms.get(objectId);
    return {
      id: objectId,
      name: this.#names.get(objectId) ?? null,
      alarmAt: alarm === undefined ? null : isoOf(alarm.at),
      writtenAt: file === undefined ? null : isoOf(file.writtenAt),
      bytes: file?.bytes ?? 0,
    };
  }
}

/** The tables and rows of a file at one moment; undefined if there is no file. */
function contentsOf(file: string, wanted: string | undefined, page: number): Promise<Contents | undefined> {
  return readDatabase(file, (db) => {
    const tables = tablesOf(db);
    const chosen =
      wanted === undefined
        ? (tables.find(({ rows }) => rows !== null && rows > 0) ?? tables[0])
        : tables.find(({ name }) => name === wanted);
    if (chosen === undefined) return { tables, shown: null };
    const here = paged(chosen.rows ?? 0, page);
    return {
      tables,
      shown: {
        ...pageOf(here),
        table: chosen.name,
        first: here.offset + 1,
        ...rowsOf(db, chosen, { offset: here.offset, limit: PAGE_SIZE }),
      },
    };
  });
}

/** The page with this number, or the last page if there are fewer. */
function paged(total: number, page: number): Page & { readonly offset: number } {
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const here = Math.min(Math.max(1, page), pages);
  return { page: here, pages, total, offset: (here - 1) * PAGE_SIZE };
}

const pageOf = ({ page, pages, total }: Page): Page => ({ page, pages, total });

const byWriting = (a: ShownObject, b: ShownObject): number =>
  (b.writtenAt ?? "").localeCompare(a.writtenAt ?? "") || a.id.localeCompare(b.id);

const isoOf = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** The bytes as text; undefined if they are not UTF-8 or have control characters. */
function textOf(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for them.
    return /[\0-\x08\x0e-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
