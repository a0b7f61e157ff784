/** What a probe of the smoke test is: given a Worker, it says what it saw. */
import type { Client } from "./client.ts";
import type { Blind } from "./reason.ts";

export interface SmokeOptions {
  /** With it, deposits and sessions are tried too. It is sent only to a Worker of ours. */
  adminToken?: string | undefined;
  /** The stack that has to answer; undefined: any of ours may. */
  stack?: string;
  /** The release that has to be served, by its digest. */
  digest?: string | undefined;
  /**
   * How long that release may take to be served everywhere. Only where it is given, a version that takes the admin token
   * may take as long, too.
   */
  waitSeconds?: number;
  /** Sent with every call, WebSockets included. */
  headers?: Readonly<Record<string, string>>;
  /** Told of each check as it ends. */
  onCheck?: (check: Check) => void;
}

/** One thing that was looked at. */
export interface Check {
  name: string;
  ok: boolean;
  /** What was seen; of a failure, what was expected instead. */
  detail: string;
  /** Whether it only saw that strangers are refused, because it had no admin token. */
  untried?: boolean;
  /** Of a failure that may be no fault of the Worker: why. */
  blind?: Blind;
  /** Of a check that was lost on its way: why, in a sentence. */
  lostBecause?: string;
  ms: number;
}

/** What a check gets: the Worker, a name for its objects, and what the caller gave. */
export interface Subject {
  client: Client;
  id: string;
  options: SmokeOptions;
}

/** @throws Error where something is wrong; returns what it saw, in a few words. */
export type Probe = (subject: Subject) => Promise<string>;
