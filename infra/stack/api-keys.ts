/**
 * API keys of a stack: records in its KV namespace of reads, where the Worker looks them up (contract/api-keys.ts).
 * A key is shown once, when it is made; what is kept is its SHA-256.
 */

import { randomBytes } from "node:crypto";
import Cloudflare from "cloudflare";
import * as v from "valibot";
import { API_KEY_PREFIX, newApiKey, ApiKey as Stored, storedAt } from "../../contract/api-keys.ts";
import { UserError } from "../common/user-error.ts";
import type { Account } from "./account.ts";

/** For people: whose key it is, and since when. */
const Record = v.object({ ...Stored.entries, name: v.string(), createdAt: v.string() });

/** What is known of a key; the key itself is not. */
export type ApiKey = v.InferOutput<typeof Record>;

/** Thrown with a sentence for whoever runs the command. */
export class KeysError extends UserError {
  override readonly fix: string | undefined;

  constructor(message: string, { fix, ...options }: ErrorOptions & { readonly fix?: string | undefined } = {}) {
    super(message, options);
    this.fix = fix;
  }
}

/** The KV namespace that a Worker's newest version with one reads from, whatever its title is. */
async function readsOf(client: Cloudflare, accountId: string, worker: string): Promise<string | undefined> {
  try {
    for await (const { bindings } of client.workers.beta.workers.versions.list(worker, { account_id: accountId })) {
      for (const binding of bindings ?? []) {
        if (binding.type === "kv_namespace" && binding.name === "READS") return binding.namespace_id;
      }
    }
  } catch (error) {
    if (!(error instanceof Cloudflare.NotFoundError)) throw error;
  }
  return undefined;
}

export class ApiKeys {
  readonly #client: Cloudflare;
  readonly #where: { account_id: string; namespace_id: string };

  private constructor(client: Cloudflare, where: { account_id: string; namespace_id: string }) {
    this.#client = client;
    this.#where = where;
  }

  /** The keys of a Worker's stack. @throws KeysError where the account has no such stack. */
  static async of({ apiUrl, accountId, token }: Account, worker: string): Promise<ApiKeys> {
    // What it would take from the environment is another account's.
    const client = new Cloudflare({ baseURL: apiUrl, apiToken: token, apiKey: null, apiEmail: null, logLevel: "off" });
    const namespace = await readsOf(client, accountId, worker);
    if (namespace !== undefined) return new ApiKeys(client, { account_id: accountId, namespace_id: namespace });
    throw new KeysError(
      `No version of a Worker "${worker}" is bound to a KV namespace as READS: deploy the stack first, or name its Worker with --worker.`,
    );
  }

  /** Makes a key, with what it may do. It counts within a minute everywhere. @throws KeysError where it has no name. */
  async create(name: string, grants: string[] = []): Promise<ApiKey & { key: string }> {
    if (name.trim() === "") throw new KeysError("A key needs a name that says whose it is: --name.");
    const key = newApiKey();
    const at = await storedAt(key);
    if (at === undefined) throw new Error("A new key does not have the form of one");
    const record: ApiKey = { id: randomBytes(6).toString("hex"), name, grants, createdAt: new Date().toISOString() };
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
