/**
 * The history of a Worker's Durable Object classes, as data: ordered, named steps that are only ever appended.
 *
 * The builder's type carries the classes that are alive at each point. So renaming a class that does not exist, or
 * creating one twice, is a compile error in the file that a user edits. `lint` and the lock file find what types
 * cannot: a name used twice over time, and an edited past.
 */

/** Storage of a class: SQLite, or the key-value storage of older namespaces. */
export type Storage = "sqlite" | "legacy-kv";

/** The storage of an entry of `exports`: SQLite if it names none. */
export const storageOf = (storage: string | undefined): Storage => (storage === "legacy-kv" ? "legacy-kv" : "sqlite");

/** One change to one class. The words are Cloudflare's class lifecycle states (docs: Durable Object class exports). */
export type Change =
  /** A new class with no objects yet. */
  | { readonly op: "create"; readonly className: string; readonly storage: Storage }
  /** The same objects under another class name. */
  | { readonly op: "rename"; readonly from: string; readonly to: string }
  /** Deletes the class and every object of it, or ends the wait for objects that have not come. */
  | { readonly op: "remove"; readonly className: string }
  /** Hands the class and its objects to another Worker of the account. */
  | { readonly op: "send"; readonly className: string; readonly toWorker: string }
  /** Takes a class and its objects over from another Worker of the account. */
  | { readonly op: "receive"; readonly className: string; readonly fromWorker: string; readonly storage: Storage };

/** The class names that a change touches, old ones and new ones. */
export const namesIn = (change: Change): readonly string[] =>
  change.op === "rename" ? [change.from, change.to] : [change.className];

/** A migration: one named step of the history. */
export interface Migration {
  readonly name: string;
  readonly changes: readonly Change[];
}

/** Every class that the history has ever had, by all of its names. */
export const everNamed = (migrations: readonly Migration[]): ReadonlySet<string> =>
  new Set(migrations.flatMap(({ changes }) => changes.flatMap(namesIn)));

/** A class name that is not alive yet; `never` if it is. */
type NotYet<Name extends string, Alive extends string> = Name extends Alive ? never : Name;

/** The changes of one step, with the classes alive so far in the type. */
export class Classes<Alive extends string> {
  readonly changes: readonly Change[];

  constructor(changes: readonly Change[] = []) {
    this.changes = changes;
  }

  /**
   * A new class. Storage is SQLite; `legacy-kv` is for adopting a Worker whose class already has it. Where the class is
   * made anew it has SQLite all the same: Cloudflare makes nothing else.
   */
  create<Name extends string>(className: NotYet<Name, Alive>, storage: Storage = "sqlite"): Classes<Alive | Name> {
    return new Classes([...this.changes, { op: "create", className, storage }]);
  }

  /** The same objects under a new name. The old name is free again only one release later. */
  rename<From extends Alive, To extends string>(from: From, to: NotYet<To, Alive>): Classes<Exclude<Alive, From> | To> {
    return new Classes([...this.changes, { op: "rename", from, to }]);
  }

  /**
   * Deletes the class and all its objects. A stack does so only when its `allowDestroy` names the class. One whose objects
   * have not come from another Worker is waited for no more.
   */
  remove<Name extends Alive>(className: Name): Classes<Exclude<Alive, Name>> {
    return new Classes([...this.changes, { op: "remove", className }]);
  }

  /** Hands the class and its objects to another Worker of the account. `{stack}` in its name is the stack's name. */
  send<Name extends Alive>(className: Name, toWorker: string): Classes<Exclude<Alive, Name>> {
    return new Classes([...this.changes, { op: "send", className, toWorker }]);
  }

  /** Takes a class and its objects over from another Worker of the account. `{stack}` in its name is the stack's name. */
  receive<Name extends string>(
    className: NotYet<Name, Alive>,
    fromWorker: string,
    storage: Storage = "sqlite",
  ): Classes<Alive | Name> {
    return new Classes([...this.changes, { op: "receive", className, fromWorker, storage }]);
  }
}

/** A history whose last step leaves the classes `Alive`. */
export class History<Alive extends string = never> {
  readonly migrations: readonly Migration[];

  constructor(migrations: readonly Migration[] = []) {
    this.migrations = migrations;
  }

  /** Appends a step. Its name sorts behind the last one's: `0001-create-patterns`, `0002-…`. */
  step<Next extends string>(name: string, changes: (classes: Classes<Alive>) => Classes<Next>): History<Next> {
    return new History([...this.migrations, { name, changes: changes(new Classes<Alive>()).changes }]);
  }
}

/** An empty history, to append steps to. */
export const history = (): History => new History();
