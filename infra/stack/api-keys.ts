/**
 * API keys of a stack: records in its KV namespace of reads, where the Worker looks them up (contract/api-keys.ts).
 * A key is shown once, when it is made; what is kept is its SHA-256.
 */
import { randomBytes } from "node:crypto";
import type Cloudflare from "cloudflare";
import * as v from "valibot";
import { API_KEY_PREFIX, newApiKey, ApiKey as Stored, storedAt } from "../../contract/api-keys.ts";
import { readCacheInputs } from "./declared.ts";

/** For people: whose key it is, and since when. */
const Record = v.object({ ...Stored.entries, name: v.string(), createdAt: v.string() });

/** What is known of a key; the key itself is not. */
export type ApiKey = v.InferOutput<typeof Record>;

/** Thrown with a sentence for whoever runs the command. */
export class KeysError extends Error {}

export class ApiKeys {
  readonly #client: Cloudflare;
  readonly #where: { account_id: string; namespace_id: string };

  private constructor(client: Cloudflare, where: { account_id: string; namespace_id: string }) {
    this.#client = client;
    this.#where = where;
  }

  /** The keys of a Worker's stack. @throws KeysError where the account has no such stack. */
  static async of(client: Cloudflare, accountId: string, worker: string): Promise<ApiKeys> {
    const { title } = readCacheInputs({ accountId, workerName: worker });
    for await (const { id, title: found } of client.kv.namespaces.list({ account_id: accountId })) {
      if (found === title) return new ApiKeys(client, { account_id: accountId, namespace_id: id });
    }
    throw new KeysError(
      `The account has no KV namespace "${title}": deploy the stack first, or name its Worker with --worker.`,
    );
  }

  /** Makes a key. It counts within a minute everywhere. */
  async create(name: string): Promise<ApiKey & { key: string }> {
    const key = newApiKey();
    const at = await storedAt(key);
    if (at === undefined) throw new Error("A new key does not have the form of one");
    const record: ApiKey = { id: randomBytes(6).toString("hex"), name, createdAt: new Date().toISOString() };
    // As text: the SDK would take an object apart into form fields of its own.
    await this.#client.kv.namespaces.values.update(at, {
      ...this.#where,
      value: JSON.stringify(record),
      metadata: JSON.stringify(record),
    });
    return { ...record, key };
  }

  /** All keys, the oldest first. */
  async list(): Promise<ApiKey[]> {
    const records = (await this.#stored()).map(({ record }) => record);
    return records.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  }

  /** Revokes a key by its id. Workers refuse it within two minutes. @throws KeysError where there is no such key. */
  async revoke(id: string): Promise<ApiKey> {
    const found = (await this.#stored()).find(({ record }) => record.id === id);
    if (!found) throw new KeysError(`There is no key "${id}"; list shows the ids.`);
    await this.#client.kv.namespaces.values.delete(found.name, this.#where);
    return found.record;
  }

  async #stored(): Promise<{ name: string; record: ApiKey }[]> {
    const stored = [];
    for await (const { name, metadata } of this.#client.kv.namespaces.keys.list(this.#where.namespace_id, {
      account_id: this.#where.account_id,
      prefix: API_KEY_PREFIX,
    })) {
      const parsed = v.safeParse(Record, metadata);
      if (parsed.success) stored.push({ name, record: parsed.output });
    }
    return stored;
  }
}
