/** Stores data in an object, and checks whether it is still there: for tests that deploy any patterns. */
import * as v from "valibot";
import { expect } from "vitest";
import type { Filling } from "../infra/rehearsal/filling.ts";
import { fillings } from "../infra/rehearsal/patterns.ts";
import { Client } from "../infra/smoke/client.ts";
import { StatusError, status } from "../infra/smoke/expect.ts";
import { access } from "../worker/access.ts";
import { patterns } from "../worker/patterns.ts";

/** The part of the OpenAPI document that is read here. */
const Operation = v.object({ "x-access": v.optional(v.object({ rule: v.string() })) });
const Document = v.object({ paths: v.record(v.string(), v.record(v.string(), Operation)) });

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

/** Whether an action of this project is for the admin alone. */
const hasAdminAction = [...access.values()].some(({ may }) => may === "admin");

/** Fails unless the token is accepted as the admin's, or refused. A project without an action of the admin has no admin. */
export async function expectAdmin(where: Where, isTaken: boolean): Promise<void> {
  if (hasAdminAction) expect(await isAdmin(where)).toBe(isTaken);
}

/**
 * Whether the token is accepted as the admin's: calls routes that only the admin may use, until one says so. It has to
 * refuse whoever has no token. @throws Error where none says so.
 */
async function isAdmin({ port, adminToken }: Where): Promise<boolean> {
  const client = new Client(new URL(`http://127.0.0.1:${port}/`));
  const { paths } = v.parse(Document, status("the document", await client.call("/openapi.json"), 200));
  const said: string[] = [];
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation["x-access"]?.rule !== "admin") continue;
      const url = path.replace(/\{\w+\}/g, "main");
      const ask = async (token?: string) =>
        (await client.call(url, { method: method.toUpperCase(), token, limited: true })).status;
      const [without, answer] = [await ask(), await ask(adminToken)];
      if (without === 401 && answer === 401) return false;
      if (without === 401 && answer >= 200 && answer < 300) return true;
      said.push(`${method} ${url}: ${without} without a token, ${answer} with it`);
    }
  }
  throw new Error(`no route says whether the token is the admin's:\n${said.join("\n")}`);
}
