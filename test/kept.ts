/** Stores data in an object, and checks whether it is still there: for tests that deploy any patterns. */
import { expect } from "vitest";
import type { Filling } from "../infra/rehearsal/filling.ts";
import { fillings } from "../infra/rehearsal/patterns.ts";
import { Client } from "../infra/smoke/client.ts";
import { StatusError } from "../infra/smoke/expect.ts";
import { patterns } from "../worker/patterns.ts";

/** An address of its own, for a bucket of the rate limiter that no other caller uses. */
const ADDRESS = "203.0.113.9";

/** A Worker's port on this machine, and its admin token. */
export interface Where {
  readonly port: number;
  readonly adminToken: string;
}

export interface Kept {
  /** Whether callers name the object by an id, and so its region. */
  readonly isById: boolean;
  /** Fails unless all data is unchanged. */
  stays(): Promise<void>;
  /** Fails if the data is still there, or nothing says that it is not. */
  isMissing(): Promise<void>;
}

/** Fills an object like the rehearsal: of the first pattern whose objects callers name, else of the first pattern. */
export async function keep({ port, adminToken }: Where, id = "kept"): Promise<Kept> {
  const client = new Client(new URL(`http://127.0.0.1:${port}/`), { "CF-Connecting-IP": ADDRESS });
  const filling = await fillingOfFirst();
  const { read } = await filling.fill({ client, id, home: "eu", index: 0, round: 0, adminToken });
  const before = await read();
  return {
    isById: filling.takesId !== false,
    stays: async () => expect(await read()).toEqual(before),
    isMissing: async () => {
      const now = await read().catch((error: unknown) => {
        if (saysMissing(error, filling)) return "missing";
        throw error;
      });
      expect(now).not.toEqual(before);
    },
  };
}

/** Whether a read failed because there is no such data, and for no other reason. */
function saysMissing(error: unknown, { takesId }: Filling): boolean {
  if (error instanceof StatusError) {
    const hasNoRegion = error.status === 400 && error.message.includes("there is no region");
    return error.status === 404 || hasNoRegion || (takesId === false && error.status === 401);
  }
  // A bucket that was lost is full.
  return takesId === false && error instanceof Error && /: does not hold$/.test(error.message);
}

async function fillingOfFirst(): Promise<Filling> {
  const bindings: readonly string[] = patterns.map(({ binding }) => binding);
  const all = (await fillings()).filter(({ binding }) => bindings.includes(binding));
  const first = all.find(({ takesId }) => takesId !== false) ?? all[0];
  if (!first) throw new Error("no pattern has a filling");
  return first;
}
