/** What a plan depends on: the history, what is live, what the release brings, what the stack allows. */
import type { Migration } from "./history.ts";
import type { LiveClasses } from "./replay.ts";

/** What an environment serves now, as Cloudflare's API tells it. */
export interface Live {
  /** Classes that are live; undefined: nothing was ever deployed. */
  readonly classes: LiveClasses | undefined;
  /** Whether these are all that there are: a Worker that something else deployed may have some that cannot be read. */
  readonly complete: boolean;
  /** The step that the serving release recorded, and the hash of its history; undefined: no release of ours. */
  readonly step: { readonly name: string; readonly history: string } | undefined;
}

/** All that a plan is computed from. */
export interface Situation {
  readonly migrations: readonly Migration[];
  /** The stack's name: what `{stack}` in the name of another Worker stands for. */
  readonly stack: string;
  readonly live: Live;
  /** Classes that the release's bundle exports. */
  readonly code: readonly string[];
  /** Classes that the release's bindings name. */
  readonly bound: readonly string[];
  /** Bindings of other Workers to this Worker's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
  /** Other Workers of the account that a transfer names, with their live classes. */
  readonly others: ReadonlyMap<string, ReadonlySet<string>>;
  /** Whether a Worker that something else deployed may be taken over, when its classes are those of a step. */
  readonly adopt: boolean;
  /** Classes that this stack may delete or send away. */
  readonly allowDestroy: readonly string[];
  /** Per cent of the traffic that the release is to get. */
  readonly rollout: number;
}
