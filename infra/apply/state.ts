/**
 * What has been applied, in one file that is replaced as a whole: whoever reads it, and whenever the machine stops, it
 * is the state before a step or after it. A creation is noted before it is sent, so that one whose answer was lost is
 * found again instead of made twice.
 */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { attempt, makeFolder, readIfThere } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { Known } from "../plan/state/known.ts";

const Entry = v.object({
  urn: v.string(),
  type: v.string(),
  id: v.string(),
  /** The inputs that it was made from, secrets sealed. */
  inputs: v.record(v.string(), v.unknown()),
  protect: v.boolean(),
  retainOnDelete: v.boolean(),
});

const Contents = v.object({
  version: v.literal(1),
  /** The account that it is the state of. */
  accountId: v.string(),
  /** Key of the secrets' hashes. */
  key: v.string(),
  /** In the order of their registration: each after all that it depends on. */
  resources: v.array(Entry),
  /** Replaced, and still to be deleted. */
  leftovers: v.array(Entry),
  /** URNs whose creation was sent and has no answer yet. */
  begun: v.array(v.string()),
});

/** In the folder of the local account: what an apply has deployed there. */
export const STATE_FILE = "stack.json";

/** A resource that exists, as far as the last apply knows. */
export type Entry = Readonly<v.InferOutput<typeof Entry>>;

export class State {
  readonly key: string;
  readonly #path: string;
  readonly #accountId: string;
  readonly #resources: Map<string, Entry>;
  readonly #begun: Set<string>;
  #leftovers: readonly Entry[];

  private constructor(path: string, { accountId, key, resources, leftovers, begun }: v.InferOutput<typeof Contents>) {
    this.#path = path;
    this.#accountId = accountId;
    this.key = key;
    this.#resources = new Map(resources.map((entry) => [entry.urn, entry]));
    this.#leftovers = leftovers;
    this.#begun = new Set(begun);
  }

  /**
   * The state of `accountId` in the file at `path`, empty when there is none: the one of an account that was there
   * before says nothing about this one. @throws Error when the file is not a state.
   */
  static open(path: string, accountId: string): State {
    const contents = read(path);
    if (contents?.accountId === accountId) return new State(path, contents);
    const key = randomBytes(32).toString("base64url");
    return new State(path, { version: 1, accountId, key, resources: [], leftovers: [], begun: [] });
  }

  /** The projects whose resources it has, by their URNs: one, but where a project was renamed. */
  get projects(): readonly string[] {
    return [...new Set(this.resources.map(({ urn }) => urn.split("::")[1] ?? ""))];
  }

  get(urn: string): Entry | undefined {
    return this.#resources.get(urn);
  }

  /** Every resource, each after all that it depends on. */
  get resources(): readonly Entry[] {
    return [...this.#resources.values()];
  }

  /** The same as the program sees them. */
  get known(): Known {
    return Known.of(
      this.resources.map(({ urn, id, inputs, retainOnDelete }) => [urn, { ...inputs, id }, retainOnDelete] as const),
      true,
    );
  }

  get leftovers(): readonly Entry[] {
    return this.#leftovers;
  }

  /** Whether a creation of `urn` was sent whose answer never came. */
  wasBegun(urn: string): boolean {
    return this.#begun.has(urn);
  }

  /** Notes that the creation of `urn` is about to be sent. */
  begin(urn: string): void {
    this.#begun.add(urn);
    this.#save();
  }

  /** Notes a resource as it is now, and what it replaced and is to be deleted. */
  put(entry: Entry, replaced?: Entry): void {
    this.#begun.delete(entry.urn);
    this.#resources.delete(entry.urn);
    this.#resources.set(entry.urn, entry);
    if (replaced) this.#leftovers = [...this.#leftovers, replaced];
    this.#save();
  }

  /** Notes that a creation was refused: nothing is left of it to find. */
  refuse(urn: string): void {
    this.#begun.delete(urn);
    this.#save();
  }

  /** Puts the resources of `urns` into this order, after all others. */
  arrange(urns: Iterable<string>): void {
    const before = [...this.#resources.keys()];
    for (const urn of urns) {
      const entry = this.#resources.get(urn);
      if (entry && this.#resources.delete(urn)) this.#resources.set(urn, entry);
    }
    if ([...this.#resources.keys()].some((urn, i) => urn !== before[i])) this.#save();
  }

  /** Notes that a resource or a leftover is gone. */
  drop(entry: Entry): void {
    if (this.#resources.get(entry.urn) === entry) this.#resources.delete(entry.urn);
    this.#leftovers = this.#leftovers.filter((leftover) => leftover !== entry);
    this.#save();
  }

  #save(): void {
    const contents: v.InferOutput<typeof Contents> = {
      version: 1,
      accountId: this.#accountId,
      key: this.key,
      resources: [...this.#resources.values()],
      leftovers: [...this.#leftovers],
      begun: [...this.#begun],
    };
    makeFolder(dirname(this.#path));
    const next = `${this.#path}.next`;
    attempt(next, "written", () => {
      const file = openSync(next, "w", 0o600);
      try {
        writeFileSync(file, `${JSON.stringify(contents, null, 2)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
    attempt(this.#path, "written", () => renameSync(next, this.#path));
  }
}

function read(path: string): v.InferOutput<typeof Contents> | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const contents = v.safeParse(v.pipe(v.string(), v.parseJson(), Contents), text);
  if (contents.success) return contents.output;
  throw new UserError(
    `${path} is not the state of an apply: ${contents.issues[0].message}. Restore the file. If you cannot, move it away and run \`npm run recover -- --stack local\`, which makes it again from the account. The data stays.`,
  );
}
