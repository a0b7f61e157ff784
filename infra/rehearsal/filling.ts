/** How a pattern is filled with data and read back: over HTTP and WebSocket, as any client does it. */
import type { Client } from "../smoke/client.ts";

/** What a filling gets: one object that is its own, and a caller with a bucket of their own at the rate limiter. */
export interface Subject {
  readonly client: Client;
  /** The object's id, with its region. */
  readonly id: string;
  /** The id of the stack's home region, where a Worker has what no caller places. */
  readonly home: string;
  /** 0, 1, …: so that no two objects hold the same. */
  readonly index: number;
  readonly adminToken: string;
  /** 0 where the object is filled for the first time; 1 where older code writes to it again, after a roll-back. */
  readonly round: number;
}

/** An object with data. */
interface Held {
  /**
   * Asks for all that it holds, as JSON: the same answer whenever it is asked and nothing was lost. @throws Error where the
   * answer is none.
   */
  readonly read: () => Promise<unknown>;
  /** What a WebSocket to it is opened with. */
  readonly token?: () => Promise<string | undefined>;
  /** The region that the Worker chose for it; where not given, the id's. */
  readonly region?: string;
}

/** How a pattern is filled: test/<pattern>/rehearsal.ts has it as `filling`. */
export interface Filling {
  /** The binding of its class, in the release that is filled. */
  readonly binding: string;
  /** False where the Worker chooses the object, so that a caller cannot name it. */
  readonly takesId?: false;
  /** Whether it is filled last, because what it holds shrinks with time. */
  readonly last?: true;
  /** Makes an object hold data, and returns how to read it. */
  readonly fill: (subject: Subject) => Promise<Held>;
  /** Where a WebSocket to an object is opened, where it takes any. */
  readonly socket?: (id: string) => string;
}

/** An object that was filled, by which pattern and for whom. */
export interface Filled {
  readonly pattern: Filling;
  readonly className: string;
  readonly subject: Subject;
  readonly id: string;
  readonly region: string;
  readonly client: Client;
  readonly read: Held["read"];
  readonly token: (() => Promise<string | undefined>) | undefined;
}
