/**
 * The engine's part of an apply: for every resource that the program declares, finds what exists, and creates, changes,
 * replaces or leaves it; in the end deletes what the program no longer declares.
 *
 * It follows the Pulumi engine: a replacement is created before what it replaces is deleted, `ignoreChanges`,
 * `replaceOnChanges`, `retainOnDelete`, `deleteBeforeReplace`, `import` and `protect` mean the same. Unlike the engine it
 * looks at every resource first (as `up --refresh` does), so that what somebody deleted comes back.
 */
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../common/errors.ts";
import { type Api, ApiError } from "../provider/api.ts";
import { kindOf } from "../provider/index.ts";
import { type Context, check, difference, imported, type Kind, replaces } from "../provider/kind.ts";
import { object, type Properties, pick } from "../provider/values.ts";
import { holdsSecrets, reveal, sameSecrets, seal, wrapLike } from "./secrets.ts";
import type { Entry, State } from "./state.ts";

/** What a program asks for when it declares a resource. Inputs have their secrets wrapped. */
interface Declaration {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly inputs: Properties;
  readonly api: Api;
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly deleteBeforeReplace: boolean;
  readonly ignoreChanges: readonly string[];
  readonly replaceOnChanges: readonly string[];
  /** Names what exists and is to be taken over; empty: nothing. Without effect on what the state has already. */
  readonly importId: string;
}

export type Action = "unchanged" | "create" | "adopt" | "import" | "update" | "replace" | "delete" | "retain";

/** What happened to a resource. */
export interface Step {
  readonly action: Action;
  readonly type: string;
  readonly name: string;
  /** Properties that made it an update or a replacement. */
  readonly changed?: readonly string[];
}

/** A resource after its step, for the program: outputs have the secrets of the inputs wrapped. */
interface Applied {
  readonly id: string;
  readonly outputs: Properties;
}

export class Steps {
  readonly #state: State;
  readonly #folder: string;
  readonly #api: Api;
  readonly #report: (step: Step) => void;
  readonly #declared = new Set<string>();
  /** URNs whose step is done, and so in an order where each comes after all that it depends on. */
  readonly #done: string[] = [];

  /** `folder`: the program's main folder. `api`: for what is deleted. */
  constructor(state: State, folder: string, api: Api, report: (step: Step) => void) {
    this.#state = state;
    this.#folder = folder;
    this.#api = api;
    this.#report = report;
  }

  /** The answer to READ_STATE: every resource's id and inputs, secrets sealed, and whether it stays when it goes. */
  get state(): Properties {
    return this.#state.known.answer;
  }

  /** Brings one resource to what the program declares. @throws Error saying which resource, what, and why not. */
  async apply(declaration: Declaration): Promise<Applied> {
    const { urn, type, name, inputs } = declaration;
    if (this.#declared.has(urn)) throw new Error(`${name} (${type}) is declared twice`);
    this.#declared.add(urn);
    const step = await describing(declaration, () => this.#step(declaration));
    this.#done.push(urn);
    this.#report({ type, name, ...step.done });
    return { id: step.id, outputs: object(wrapLike(step.state, inputs)) };
  }

  async #step(declaration: Declaration): Promise<Outcome> {
    const old = this.#state.get(declaration.urn);
    if (old) {
      const wanted = this.#wanted(declaration, old);
      const live = await wanted.read(old.id, old.inputs);
      if (live) return this.#keep(wanted, old, live);
    }
    // What is gone has nothing left to ignore: the program says what is made in its place.
    const wanted = this.#wanted(declaration);
    if (declaration.importId !== "") return this.#import(wanted);
    return (await this.#adopt(wanted)) ?? this.#create(wanted, { action: "create" });
  }

  #wanted(declaration: Declaration, old?: Entry): Wanted {
    return new Wanted(declaration, { folder: this.#folder, key: this.#state.key, old });
  }

  /** For a resource that exists: leaves it, changes it, or replaces it. */
  async #keep(wanted: Wanted, old: Entry, live: Properties): Promise<Outcome> {
    const { changed, replacing } = wanted.against(old, live);
    if (replacing.length > 0) return this.#replace(wanted, old, replacing);
    if (changed.length === 0) {
      const entry = wanted.kept(old.id);
      if (!isDeepStrictEqual(entry, old)) this.#state.put(entry);
      return { id: old.id, state: live, done: { action: "unchanged" } };
    }
    const state = await wanted.update(old.id, live);
    this.#state.put(wanted.kept(old.id));
    return { id: old.id, state, done: { action: "update", changed } };
  }

  async #replace(wanted: Wanted, old: Entry, changed: readonly string[]): Promise<Outcome> {
    if (old.protect) {
      throw new Error(
        `${changed.join(", ")} cannot change in place, and the resource is protected against its replacement. ` +
          "Set `protect: false` and apply once before the change, or take the change back",
      );
    }
    const done: Outcome["done"] = { action: "replace", changed };
    if (old.retainOnDelete || !wanted.declaration.deleteBeforeReplace) return this.#create(wanted, done, old);
    await wanted.kind.remove?.(wanted.context, old.id, old.inputs);
    this.#state.drop(old);
    return this.#create(wanted, done);
  }

  /** Takes over what exists, if it is as the program says. Differences in ignored properties stay for the next apply. */
  async #import(wanted: Wanted): Promise<Outcome> {
    const { id, state } = await imported(wanted.kind, wanted.context, wanted.declaration.importId);
    const entry = wanted.made(id);
    const { changed } = wanted.against(entry, state);
    if (changed.length > 0) {
      throw new Error(`it cannot be imported: ${changed.join(", ")} of what exists differ from what the program says`);
    }
    this.#state.put(entry);
    return { id, state, done: { action: "import" } };
  }

  /** Finds what an apply has created that ended before the answer came. */
  async #adopt(wanted: Wanted): Promise<Outcome | undefined> {
    if (!this.#state.wasBegun(wanted.urn)) return undefined;
    const id = await wanted.kind.find?.(wanted.context, wanted.plain);
    if (id === undefined) return undefined;
    const entry = wanted.made(id);
    const live = await wanted.read(id, entry.inputs);
    const { changed, replacing } = live ? wanted.against(entry, live) : { changed: [], replacing: [] };
    if (!live || replacing.length > 0) return undefined;
    const state = changed.length > 0 ? await wanted.update(id, live) : live;
    this.#state.put(entry);
    return { id, state, done: { action: "adopt" } };
  }

  async #create(wanted: Wanted, done: Outcome["done"], replaced?: Entry): Promise<Outcome> {
    this.#state.begin(wanted.urn);
    try {
      const { id, state } = await wanted.kind.create(wanted.context, wanted.plain);
      // An API that made the new one in the place of the old leaves nothing to delete.
      const leftover = replaced && !replaced.retainOnDelete && replaced.id !== id ? replaced : undefined;
      this.#state.put(wanted.made(id), leftover);
      return { id, state, done };
    } catch (error) {
      if (error instanceof ApiError && error.status !== undefined && error.status < 500) this.#state.refuse(wanted.urn);
      throw error;
    }
  }

  /**
   * Deletes what was replaced and what the program has not declared, dependents first. Where `isStopped`, the rest is left
   * to the next apply.
   */
  async finish(isStopped: () => boolean): Promise<void> {
    this.#state.arrange(this.#done);
    const gone = this.#state.resources.filter(({ urn }) => !this.#declared.has(urn));
    const kept = gone.filter(({ protect }) => protect);
    if (kept.length > 0) {
      throw new Error(
        `The program no longer declares ${kept.map(({ urn }) => nameOf(urn)).join(", ")}, and ${kept.length === 1 ? "it is" : "they are"} protected. ` +
          "Nothing was deleted. Declare them again, or set `protect: false` and apply once before taking them away.",
      );
    }
    for (const entry of [...this.#state.leftovers, ...gone].reverse()) {
      if (isStopped()) return;
      await this.#remove(entry);
    }
  }

  async #remove(entry: Entry): Promise<void> {
    const { id, type, urn, inputs, retainOnDelete } = entry;
    const name = nameOf(urn);
    const replaced = this.#state.get(urn) !== entry;
    if (!retainOnDelete) {
      const kind = kindOf(type);
      const context = { api: this.#api, folder: this.#folder };
      await describing({ type, name }, async () => kind.remove?.(context, id, inputs));
    }
    this.#state.drop(entry);
    if (!replaced) this.#report({ action: retainOnDelete ? "retain" : "delete", type, name });
  }
}

interface Outcome {
  readonly id: string;
  readonly state: Properties;
  readonly done: Pick<Step, "action" | "changed">;
}

/** A declaration with its kind, its inputs checked, and what earlier applies say about them. */
class Wanted {
  readonly declaration: Declaration;
  readonly urn: string;
  readonly kind: Kind;
  readonly context: Context;
  /** The inputs, defaults spelled out and secrets plain: for requests only. */
  readonly plain: Properties;
  /** The same with secrets sealed: for the state. */
  readonly #sealed: Properties;
  /** What the state has of the properties that are ignored. */
  readonly #ignored: Properties;

  /** `key`: seals secrets for the state. `old`: the resource that exists; undefined: it is to be made, or taken over. */
  constructor(
    declaration: Declaration,
    { folder, key, old }: { readonly folder: string; readonly key: string; readonly old: Entry | undefined },
  ) {
    this.declaration = declaration;
    this.urn = declaration.urn;
    this.kind = kindOf(declaration.type);
    this.context = { api: declaration.api, folder };
    const { inputs, problems } = check(this.kind, declaration.inputs, object(reveal(declaration.inputs)));
    if (problems.length > 0) throw new Error(problems.map(({ reason }) => reason).join("; "));
    const nested = [...declaration.ignoreChanges, ...declaration.replaceOnChanges].find((path) => /[.[*]/.test(path));
    if (nested) throw new Error(`${nested}: ignoreChanges and replaceOnChanges take whole properties here`);
    // What is ignored stays as it was. A secret in it is not known any more: what is made anew has the program's.
    this.#ignored = pick(old?.inputs ?? {}, ...declaration.ignoreChanges);
    const ignored = Object.fromEntries(Object.entries(this.#ignored).filter(([, value]) => !holdsSecrets(value)));
    this.plain = { ...object(reveal(inputs)), ...ignored };
    this.#sealed = { ...object(seal(inputs, key)), ...ignored };
  }

  /** For the state: what was made with these inputs. */
  made(id: string): Entry {
    const { type, protect, retainOnDelete } = this.declaration;
    return { urn: this.urn, type, id, inputs: { ...this.#sealed }, protect, retainOnDelete };
  }

  /** For the state: what exists, which has kept what is ignored. */
  kept(id: string): Entry {
    const made = this.made(id);
    return { ...made, inputs: { ...made.inputs, ...this.#ignored } };
  }

  /** The state now, or undefined when it is gone. */
  read(id: string, inputs: Properties): Promise<Properties | undefined> {
    const withSecrets = Object.keys(inputs).filter((property) => holdsSecrets(inputs[property]));
    return this.kind.read(this.context, id, { ...inputs, ...pick(this.plain, ...withSecrets) });
  }

  async update(id: string, state: Properties): Promise<Properties> {
    if (!this.kind.update) throw new Error(`${this.kind.type} cannot change in place`);
    return await this.kind.update(this.context, id, this.plain, state);
  }

  /** What sets the declaration apart from a resource that exists. */
  against(old: Entry, state: Properties) {
    const { ignoreChanges, replaceOnChanges } = this.declaration;
    const options = { folder: this.context.folder, ignore: ignoreChanges };
    const visible = difference(this.kind, { inputs: old.inputs, state }, this.plain, options);
    const secret = Object.keys(this.#sealed).filter(
      (property) => !ignoreChanges.includes(property) && !sameSecrets(old.inputs[property], this.#sealed[property]),
    );
    const changed = [...new Set([...visible.changed, ...secret])];
    const replacing = changed.filter(
      (property) =>
        visible.replacing.includes(property) ||
        replaceOnChanges.includes(property) ||
        replaces(this.kind, property, state[property], this.plain[property]),
    );
    return { changed, replacing };
  }
}

/** The last part of a URN. */
const nameOf = (urn: string): string => urn.split("::").at(-1) ?? urn;

/** Runs `work`, and says in its error which resource it was about. */
async function describing<T>({ type, name }: { type: string; name: string }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${name} (${type}): ${messageOf(error)}`, { cause: error });
  }
}
