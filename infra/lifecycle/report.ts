/** The plan as a person reads it: one block of plain text. */
import type { Move } from "./moves.ts";
import type { Plan } from "./plan.ts";

/** State, from step to step, and what happens to each class that changes. */
export function report({ state, from, to, moves }: Plan): string {
  const way = from === undefined ? `to ${to}` : from === to ? `at ${to}` : `${from} -> ${to}`;
  const changes = moves.map(line).filter((text) => text !== undefined);
  return [`Durable Object classes: ${state}, ${way}`, ...(changes.length ? changes : ["no class changes"])]
    .map((text, i) => (i ? `  ${text}` : text))
    .join("\n");
}

function line(move: Move): string | undefined {
  switch (move.kind) {
    case "keep":
      return move.fromWorker === undefined
        ? undefined
        : `~ ${move.className} waits for its objects from ${move.fromWorker}`;
    case "create":
      return `+ ${move.className} (${move.storage})`;
    case "receive":
      return `+ ${move.className} (${move.storage}), to be taken over from ${move.fromWorker}`;
    case "rename":
      return `~ ${move.from} -> ${move.className}, with all its objects`;
    case "delete":
      return `- ${move.className}, with all its objects`;
    case "send":
      return `- ${move.className}, handed to ${move.toWorker} with all its objects`;
  }
}
