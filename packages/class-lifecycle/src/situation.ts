/** What a plan depends on: the history, the live classes, the release, and what the stack allows. */
import type { Migration } from "./history.ts";
import type { LiveClasses } from "./replay.ts";

/** What an environment serves now, read from Cloudflare's API. */
export interface Live {
  /** The live classes; undefined if nothing was ever deployed. */
  readonly classes: LiveClasses | undefined;
  /** Whether these are all classes: some of a Worker that something else deployed may be unreadable. */
  readonly complete: boolean;
  /** The step that the serving release recorded, and the hash of its history; undefined if it is not ours. */
  readonly step: { readonly name: string; readonly history: string } | undefined;
}

/** A class of `fromWorker` that `worker` waits for. */
export interface AwaitedElsewhere {
  readonly className: string;
  readonly fromWorker: string;
  readonly worker: string;
}

/** Everything that a plan is computed from. */
export interface Situation {
  readonly migrations: readonly Migration[];
  /** The name of the stack's Worker. */
  readonly worker: string;
  /** The stack's name, which replaces `{stack}` in the names of other Workers. */
  readonly stack: string;
  readonly live: Live;
  /** Classes that the release's bundle exports. */
  readonly code: readonly string[];
  /** Classes that the release's bindings name. */
  readonly bound: readonly string[];
  /** Bindings of other Workers to this Worker's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
  /** Other Workers of the account that a transfer names, with the live classes that they have objects of. */
  readonly others: ReadonlyMap<string, LiveClasses>;
  /**
   * Classes that other Workers wait to receive and that have not come there: from this one where a class leaves it, and
   * from the sender where this one receives a class. Undefined: nobody has looked.
   */
  readonly awaited?: readonly AwaitedElsewhere[] | undefined;
  /** This Worker's classes that have a namespace, and so have arrived. Undefined: nobody has looked. */
  readonly provisioned?: ReadonlySet<string> | undefined;
  /** Whether to take over a Worker that something else deployed, if its classes match a step. */
  readonly adopt: boolean;
  /** Classes that this stack may delete or send away. */
  readonly allowDestroy: readonly string[];
  /** Received classes that may begin without objects in this stack, because those are lost. */
  readonly allowTransferLoss: readonly string[];
  /**
   * Whether what serves is the release's own version, which stays: then no version is made that could say that a class
   * waits no more. False where not given.
   */
  readonly isDeployed?: boolean;
  /** The percentage of the traffic for the release. */
  readonly rollout: number;
}
