/** One thing that a stack claims in its account, and what is read to tell whose it is. */
import type { PublicSettings } from "../../stack/config.ts";
import type { StorageOfStack } from "../../stack/extras.ts";
import type { PlanReads } from "../account/reads.ts";
import type { LiveWorker } from "../live/worker.ts";
import type { Finding } from "../rules/codes.ts";
import type { Known } from "../state/known.ts";
import type { OwnWorker } from "./own-worker.ts";

/** Something that is in the account, and is taken over. */
export interface Found {
  readonly what: string;
  /** Why it may be: in words that end a sentence. */
  readonly because: string;
}

/** Why something is taken over when only the setting `adopt` says that it is the stack's. */
export const ADOPTED = "adopted";

/** A resource's name, and the id that it is imported by where it is there and not in the state. */
export interface Claim {
  readonly name: string;
  readonly importId?: string;
}

export interface Claiming {
  readonly reads: PlanReads;
  readonly settings: PublicSettings;
  readonly ownWorker: OwnWorker;
  readonly live: LiveWorker;
  /** What the release asks for besides, to be made for this stack. */
  readonly storage: readonly StorageOfStack[];
  /** The state; undefined where nobody can read it: then only an adopted Worker is taken over. */
  readonly known: Known | undefined;
  /** Whether the plan takes over a Worker that something else deployed. */
  readonly adopts: boolean;
}

/** One resource's part of the claims. */
export interface Part {
  readonly claim: Claim;
  readonly found?: Found;
  readonly finding?: Finding;
}
