/** The `exports` map of a plan. */
import type { Move } from "./moves.ts";

/** One entry of the `exports` map, in Pulumi's names (WorkerVersion.exports). */
export interface ExportEntry {
  readonly type: "durable-object";
  readonly state?: "deleted" | "renamed" | "transferred" | "expecting-transfer";
  readonly storage?: string;
  readonly renamedTo?: string;
  readonly transferredTo?: string;
  readonly transferFrom?: string;
}

/** The smallest `exports` map for these moves: an entry for each class that lives, a tombstone for
 * each that goes. A class without an entry is waited for no more. */
export function exportsMap(moves: readonly Move[]): Readonly<Record<string, ExportEntry>> {
  const entries: Record<string, ExportEntry> = {};
  for (const move of moves) {
    switch (move.kind) {
      case "cancel":
        continue;
      case "delete":
        entries[move.className] = { type: "durable-object", state: "deleted" };
        continue;
      case "send":
        entries[move.className] = { type: "durable-object", state: "transferred", transferredTo: move.toWorker };
        continue;
      case "rename":
        entries[move.from] = { type: "durable-object", state: "renamed", renamedTo: move.className };
    }
    const transferFrom = move.kind === "receive" || move.kind === "keep" ? move.fromWorker : undefined;
    entries[move.className] =
      transferFrom === undefined
        ? { type: "durable-object", storage: move.storage }
        : { type: "durable-object", state: "expecting-transfer", storage: move.storage, transferFrom };
  }
  return entries;
}
