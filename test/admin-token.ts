/** Whether a deployed Worker takes an admin token, whatever patterns it has, and also where its stack is open. */
import * as v from "valibot";
import { expect } from "vitest";
import { Client } from "../infra/smoke/client.ts";
import { status } from "../infra/smoke/expect.ts";
import { access } from "../worker/access.ts";
import type { Where } from "./kept.ts";

/** The part of the OpenAPI document that is read here. */
const Operation = v.object({ "x-access": v.optional(v.object({ rule: v.string() })) });
const Document = v.object({ paths: v.record(v.string(), v.record(v.string(), Operation)) });

/** Whether an action of this project is for the admin alone. */
const hasAdminAction = [...access.values()].some(({ may }) => may === "admin");

/** Fails unless the token is accepted as the admin's, or refused. A project without an action of the admin has no admin. */
export async function expectAdmin({ port, adminToken }: Where, isTaken: boolean): Promise<void> {
  if (hasAdminAction) expect(await takesToken(`http://127.0.0.1:${port}`, adminToken)).toBe(isTaken);
}

/**
 * Whether the token is accepted as the admin's: calls routes that only the admin may use, about things that are not
 * there, until one says so. It has to refuse whoever has no token. @throws Error where none says so.
 */
export async function takesToken(url: string | URL, token: string): Promise<boolean> {
  const client = new Client(new URL(url));
  const { paths } = v.parse(Document, status("the document", await client.call("/openapi.json"), 200));
  const said: string[] = [];
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation["x-access"]?.rule !== "admin") continue;
      const asked = path.replace(/\{\w+\}/g, "not-there");
      const ask = async (shown?: string) =>
        (await client.call(asked, { method: method.toUpperCase(), token: shown })).status;
      const [without, answer] = [await ask(), await ask(token)];
      if (without === 401 && answer === 401) return false;
      if (without === 401 && answer >= 200 && answer < 300) return true;
      said.push(`${method} ${asked}: ${without} without a token, ${answer} with it`);
    }
  }
  throw new Error(`no route says whether the token is the admin's:\n${said.join("\n")}`);
}
