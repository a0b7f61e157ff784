/** Those who fill the objects of a rehearsal, and read them back. */
import type { RunningAccount } from "@durable-stack/local-account";
import { Client } from "../smoke/client.ts";
import { ApiKeys, KeysError } from "../stack/api-keys.ts";

/** Callers with an API key each, so that nobody waits for another one's tokens. */
export class Callers {
  readonly #base: URL;
  readonly #keys: ApiKeys | undefined;

  private constructor(base: URL, keys: ApiKeys | undefined) {
    this.#base = base;
    this.#keys = keys;
  }

  static async of(account: RunningAccount, base: URL, worker: string): Promise<Callers> {
    try {
      return new Callers(base, await ApiKeys.of(account, worker));
    } catch (error) {
      // A release from before there were keys: all calls come from one address, and wait where they must.
      if (error instanceof KeysError) return new Callers(base, undefined);
      throw error;
    }
  }

  async next(): Promise<Client> {
    const made = await this.#keys?.create("rehearsal");
    return new Client(this.#base, made ? { "X-API-Key": made.key } : {});
  }
}
