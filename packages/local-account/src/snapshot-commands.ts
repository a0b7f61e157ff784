/** Saves and loads snapshots of an account that may be running: `snapshot save` and `snapshot load`. */
import path from "node:path";
import * as v from "valibot";
import { answeringAccount } from "./address.ts";
import { forget } from "./index.ts";
import { loadSnapshot, NoSnapshot, saveSnapshot } from "./snapshots.ts";

const Refused = v.object({ errors: v.tupleWithRest([v.object({ message: v.string() })], v.unknown()) });

/** Saves the account of a directory. A running account does so itself, and its requests wait meanwhile. */
export async function save(dir: string, folder: string): Promise<void> {
  const running = await answeringAccount(dir);
  const to = path.resolve(folder);
  if (running === undefined) return saveSnapshot(dir, to);
  const answer = await fetch(`${running.apiUrl}/local/snapshot`, {
    method: "POST",
    headers: { authorization: `Bearer ${running.token}`, "content-type": "application/json" },
    body: JSON.stringify({ folder: to }),
  });
  if (answer.ok) return;
  const refused = v.safeParse(Refused, await answer.json().catch(() => undefined));
  throw new NoSnapshot(refused.success ? refused.output.errors[0].message : `The account answered ${answer.status}.`);
}

/** Makes the account of a directory from a snapshot; with `fresh`, in place of the one that is there. */
export async function load(folder: string, dir: string, fresh: boolean): Promise<void> {
  const running = await answeringAccount(dir);
  if (running !== undefined)
    throw new NoSnapshot(`The account of ${dir} is running (process ${running.pid}). Stop it first.`);
  await loadSnapshot(path.resolve(folder), dir, fresh ? forget : undefined);
}
