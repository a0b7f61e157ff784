/**
 * Applies a legacy `migrations` object to a Worker's namespaces. It is the older way to change Durable Object classes,
 * and still works for Workers that never declared `exports`. Pure; codes and order of steps are Cloudflare's.
 */
import { ApiError } from "./errors.ts";
import { newTag } from "./ids.ts";
import type { MigrationStep, Migrations, Namespace, Storage } from "./model.ts";

export interface LegacySituation {
  readonly workerId: string;
  /** The tag of this Worker's last migration. */
  readonly currentTag: string | null;
  readonly namespaces: readonly Namespace[];
  /** Classes that the new code exports. */
  readonly classes: ReadonlySet<string>;
  /** The Worker's own classes that the new version binds to. */
  readonly boundClasses: ReadonlySet<string>;
  /** Names of other Workers whose deployed version binds to the namespace. */
  readonly boundBy: (namespace: Namespace) => readonly string[];
  readonly namespacesOf: (worker: string) => readonly Namespace[] | undefined;
  readonly plan: "free" | "paid";
}

interface LegacyOutcome {
  /** The changed namespaces, including those of other Workers. */
  readonly put: readonly Namespace[];
  readonly deletedIds: readonly string[];
  readonly changesClasses: boolean;
}

/** Applies the steps, or throws the `ApiError` that Cloudflare answers. */
export function migrate(migrations: Migrations | null, situation: LegacySituation): LegacyOutcome {
  if (migrations !== null && migrations.oldTag !== situation.currentTag)
    throw new ApiError(
      412,
      10079,
      situation.currentTag === null
        ? "Migration tag precondition failed; there is no current tag"
        : `Migration tag precondition failed; current tag is ${situation.currentTag}`,
    );
  const run = new Run(situation);
  for (const step of migrations?.steps ?? []) run.step(step);
  return run.outcome();
}

class Run {
  readonly #s: LegacySituation;
  readonly #own: Map<string, Namespace>;
  readonly #put = new Map<string, Namespace>();
  readonly #deleted: string[] = [];
  /** New namespaces by id, with the migration that created them. */
  readonly #created = new Map<string, string>();

  constructor(situation: LegacySituation) {
    this.#s = situation;
    this.#own = new Map(situation.namespaces.map((namespace) => [namespace.className, namespace]));
  }

  /**
   * Applies one step, in Cloudflare's order: deleted, renamed, transferred, new, new with SQLite. Only at the end is it
   * checked that the code exports the classes: a first deployment replays steps whose classes were renamed or deleted.
   */
  step(step: MigrationStep): void {
    for (const className of step.deletedClasses) this.#delete(className);
    for (const { from, to } of step.renamedClasses) this.#rename(from, to);
    for (const { from, fromScript, to } of step.transferredClasses) this.#transfer(from, fromScript, to);
    for (const className of step.newClasses) this.#create(className, "legacy-kv");
    for (const className of step.newSqliteClasses) this.#create(className, "sqlite");
  }

  outcome(): LegacyOutcome {
    for (const { id, className } of this.#own.values()) {
      if (this.#s.classes.has(className)) continue;
      const migration = this.#created.get(id);
      if (migration !== undefined)
        throw new ApiError(
          400,
          10070,
          `Cannot apply ${migration} migration to class '${className}' that is not exported by script`,
        );
      throw new ApiError(
        400,
        10064,
        `New version of script does not export class '${className}' which is depended on by existing Durable Objects. If you want to delete or rename it, use a delete-class or rename-class migration.`,
      );
    }
    return {
      put: [...this.#put.values()],
      deletedIds: this.#deleted,
      changesClasses: this.#put.size + this.#deleted.length > 0,
    };
  }

  #delete(className: string): void {
    const namespace = this.#provisioned(className, "delete-class");
    const bound = this.#s.boundBy(namespace);
    if (this.#s.boundClasses.has(className) || bound.length > 0)
      throw new ApiError(
        400,
        10061,
        `Cannot apply --delete-class migration to class '${className}' without also removing the binding that references it${
          bound.length > 0 ? ` (in ${bound.join(", ")})` : ""
        }.`,
      );
    this.#own.delete(className);
    this.#put.delete(namespace.id);
    if (!this.#created.has(namespace.id)) this.#deleted.push(namespace.id);
  }

  #rename(from: string, to: string): void {
    const namespace = this.#provisioned(from, "rename-class");
    this.#vacant(to, "rename-class");
    this.#own.delete(from);
    this.#keep({ ...namespace, className: to });
  }

  #transfer(from: string, fromScript: string, to: string): void {
    const namespace = this.#s.namespacesOf(fromScript)?.find(({ className }) => className === from);
    if (namespace === undefined)
      throw new ApiError(
        400,
        10071,
        `Cannot apply transfer-class migration: script '${fromScript}' has no Durable Object class '${from}'.`,
      );
    this.#vacant(to, "transfer-class");
    this.#keep({ ...namespace, workerId: this.#s.workerId, className: to, transferredFrom: fromScript });
  }

  #create(className: string, storage: Storage): void {
    const migration = storage === "sqlite" ? "new-sqlite-class" : "new-class";
    if (storage === "legacy-kv" && this.#s.plan === "free")
      throw new ApiError(
        400,
        10097,
        `In order to use Durable Objects with a free plan, you must create a namespace using a \`new_sqlite_classes\` migration (class '${className}').`,
      );
    this.#vacant(className, migration);
    const id = newTag();
    this.#created.set(id, migration);
    this.#keep({ id, workerId: this.#s.workerId, className, storage, transferredFrom: null });
  }

  #keep(namespace: Namespace): void {
    this.#own.set(namespace.className, namespace);
    this.#put.set(namespace.id, namespace);
  }

  #provisioned(className: string, migration: string): Namespace {
    const namespace = this.#own.get(className);
    if (namespace === undefined)
      throw new ApiError(
        400,
        10073,
        `Cannot apply ${migration} migration to class '${className}' as it is not currently configured to implement Durable Objects.`,
      );
    return namespace;
  }

  #vacant(className: string, migration: string): void {
    if (this.#own.has(className))
      throw new ApiError(
        400,
        10074,
        `Cannot apply ${migration} migration to class '${className}' that is already depended on by existing Durable Objects`,
      );
  }
}
