/**
 * The reasons not to deploy a release, given its moves. A rule checks one move, one binding or one exported class. To
 * add a rule, write it and put it into its list.
 */
import { arrivalOf } from "./arrival.ts";
import type { Finding } from "./findings.ts";
import { everNamed } from "./history.ts";
import { type Awaited, leaves, type Move, staysAlive, tombstoneOf } from "./moves.ts";
import { sendersStorage } from "./senders-storage.ts";
import { mostLike } from "./similar.ts";
import type { Situation } from "./situation.ts";

type MoveRule = (
  move: Move,
  situation: Situation,
  moves: readonly Move[],
) => Omit<Finding, "subject"> | Finding | undefined;

const MOVE_RULES: readonly MoveRule[] = [
  lossIsAllowed,
  codeBringsTheClass,
  codeGaveTheClassUp,
  nobodyBindsToTheDeleted,
  nobodyWaitsForTheGivenUp,
  bindersKnowTheNewName,
  transferGoesElsewhere,
  receiverExists,
  receiverWaits,
  senderExists,
  senderHasTheClass,
  storageIsTheSenders,
  nobodyElseWaits,
  objectsHaveArrived,
  beginsWithoutObjects,
];

/** All errors and warnings about a release that makes these moves. */
export function releaseFindings(moves: readonly Move[], situation: Situation): readonly Finding[] {
  const ofMoves = moves.flatMap((move) =>
    MOVE_RULES.flatMap((rule) => {
      const finding = rule(move, situation, moves);
      return finding ? [{ subject: move.className, ...finding }] : [];
    }),
  );
  return [...ofMoves, ...bindingFindings(moves, situation), ...exportFindings(moves, situation)];
}

function lossIsAllowed(move: Move, situation: Situation, moves: readonly Move[]): ReturnType<MoveRule> {
  if (!leaves(move) || situation.allowDestroy.includes(move.className)) return undefined;
  const what =
    move.kind === "delete"
      ? "deletes the class and all its objects"
      : `hands the class and all its objects to ${move.toWorker}`;
  return {
    code: "destroy_not_allowed",
    message: `this release ${what}, and this stack does not allow it.`,
    fix: `${allowingLoss(situation, moves)} in this stack's config; else delete the step before it is released.`,
  };
}

/** The one setting that all losses of the release need: a list for each of them would take the other's back. */
function allowingLoss({ allowDestroy, migrations }: Situation, moves: readonly Move[]): string {
  const losses = moves.filter(leaves).map(({ className }) => className);
  const refused = losses.filter((className) => !allowDestroy.includes(className));
  // Storage that the stack gives up has its name there too. A class that stays has not: allowance_unused asks for it.
  const named = everNamed(migrations);
  const kept = allowDestroy.filter((name) => losses.includes(name) || !named.has(name));
  const whose = refused.length === 1 ? "those objects" : `the objects of ${refused.join(" and ")}`;
  return `if ${whose} are no longer needed here, set allowDestroy: [${[...kept, ...refused].join(", ")}]`;
}

function codeBringsTheClass(move: Move, { code }: Situation): ReturnType<MoveRule> {
  if (!staysAlive(move) || code.includes(move.className)) return undefined;
  if (move.kind === "keep") {
    return {
      code: "config_export_not_in_code",
      message: "it has live objects, but the release's bundle does not export it.",
      fix: "export it from worker/index.ts; or, if it has another name now, append a step that renames it. A step that deletes it deletes its objects.",
    };
  }
  return {
    code: "config_references_nonexistent_class",
    message: `the history wants to ${move.kind} it, but the release's bundle does not export it.`,
    fix: "export it from worker/index.ts and build again.",
  };
}

function codeGaveTheClassUp(move: Move, { code }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "delete" || !code.includes(move.className)) return undefined;
  return {
    code: "tombstone_delete_class_still_in_code",
    message: "the history deletes it, but the release's bundle still exports it.",
    fix: "to delete its objects too, remove the class from worker/index.ts and build again; to keep them, delete the step before it is released.",
  };
}

function nobodyBindsToTheDeleted(move: Move, { references }: Situation): ReturnType<MoveRule> {
  const binders = move.kind === "delete" ? workersWith(move.className, references) : [];
  if (binders.length === 0) return undefined;
  return {
    code: "tombstone_delete_blocked_by_external_bindings",
    message: `other Workers bind to it: ${binders.join(", ")}.`,
    fix: "deploy those Workers without the binding first.",
  };
}

function nobodyWaitsForTheGivenUp(move: Move, { worker, awaited = [] }: Situation): ReturnType<MoveRule> {
  const gone = move.kind === "send" ? undefined : tombstoneOf(move);
  const [receiver] = gone === undefined ? [] : waiting({ className: gone, fromWorker: worker }, awaited);
  if (gone === undefined || receiver === undefined) return undefined;
  const does = move.kind === "rename" ? "renames" : "removes";
  return {
    code: "class_awaited_elsewhere",
    subject: gone,
    message: `the Worker ${receiver} waits to receive it, and would begin without its objects.`,
    fix: `in place of the step that ${does} it, append one that sends it to ${receiver}; or, if nobody needs its objects, deploy ${receiver} first with a step that removes it there: that ends the wait.`,
  };
}

function bindersKnowTheNewName(move: Move, { references }: Situation): ReturnType<MoveRule> {
  const gone = tombstoneOf(move);
  if (move.kind === "delete" || gone === undefined) return undefined;
  const binders = workersWith(gone, references);
  if (binders.length === 0) return undefined;
  return {
    code: "class_bound_elsewhere",
    subject: gone,
    message: `other Workers bind to it by this name: ${binders.join(", ")}.`,
    fix: "deploy those Workers with the new binding right after this release.",
  };
}

function transferGoesElsewhere(move: Move, { worker }: Situation): ReturnType<MoveRule> {
  const other = move.kind === "send" ? move.toWorker : move.kind === "receive" ? move.fromWorker : undefined;
  if (other !== worker) return undefined;
  return {
    code: "transfer_to_itself",
    message: `the history moves it to ${worker}, and that is the Worker that it is in.`,
    fix: "name another Worker in the step, or rename the class.",
  };
}

function receiverExists(move: Move, { worker, others }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "send" || move.toWorker === worker || others.has(move.toWorker)) return undefined;
  return {
    code: "transferred_target_missing",
    message: `the history sends it to the Worker ${move.toWorker}, which does not exist in this account.`,
    fix: `deploy ${move.toWorker} with a step that receives the class first.`,
  };
}

function receiverWaits(move: Move, { worker, others, awaited }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "send" || move.toWorker === worker || !others.has(move.toWorker)) return undefined;
  const receivers = awaited && waiting({ className: move.className, fromWorker: worker }, awaited);
  if (receivers === undefined || receivers.includes(move.toWorker)) return undefined;
  const [other] = receivers;
  if (other !== undefined) {
    return {
      code: "transferred_target_mismatch",
      message: `the history sends it to the Worker ${move.toWorker}, but ${other} waits for it.`,
      fix: `name ${other} in the step, as long as that is not released; or deploy ${other} with a step that removes the class there, which ends its wait, then ${move.toWorker} with a step that receives ${move.className} from ${worker}.`,
    };
  }
  return {
    code: "transferred_pending_not_found",
    message: `the history sends it to the Worker ${move.toWorker}, which does not wait for it.`,
    fix: `deploy ${move.toWorker} with a step that receives ${move.className} from ${worker} first.`,
  };
}

function senderExists(move: Move, { others }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "receive" || others.has(move.fromWorker)) return undefined;
  return {
    code: "phase_one_transfer_source_missing",
    message: `the history receives its objects from the Worker ${move.fromWorker}, which does not exist in this account.`,
    fix: `deploy ${move.fromWorker} first, or correct its name in the step.`,
  };
}

function senderHasTheClass(move: Move, { others }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "receive" || (others.get(move.fromWorker)?.has(move.className) ?? true)) return undefined;
  return {
    code: "phase_one_transfer_source_namespace_missing",
    message: `the history receives its objects from the Worker ${move.fromWorker}, which has no such class.`,
    fix: `deploy ${move.fromWorker} with the class first, or name a class that it has.`,
  };
}

function storageIsTheSenders(move: Move, { others }: Situation): ReturnType<MoveRule> {
  if (move.kind !== "receive") return undefined;
  const storage = sendersStorage(move, others);
  if (storage === undefined || storage === move.storage) return undefined;
  return {
    code: "storage_type_mismatch",
    message: `it has ${storage} storage in the Worker ${move.fromWorker}, but the history says ${move.storage}, and storage never changes in place.`,
    fix: `say ${storage} in the step that receives it; if other stacks have that step, append one that removes the class and one that receives it with ${storage}.`,
  };
}

function nobodyElseWaits(move: Move, { worker, awaited = [] }: Situation): ReturnType<MoveRule> {
  const [other] = move.kind === "receive" && move.fromWorker !== worker ? waiting(move, awaited) : [];
  if (move.kind !== "receive" || other === undefined) return undefined;
  return {
    code: "phase_one_transfer_duplicate",
    message: `the history receives its objects from the Worker ${move.fromWorker}, and ${other} waits for them already.`,
    fix: `deploy ${other} first with a step that removes the class there, which ends its wait; or, if ${other} is to have it, delete this step before it is released.`,
  };
}

function objectsHaveArrived(move: Move, situation: Situation): ReturnType<MoveRule> {
  if (!waits(move)) return undefined;
  if (isLost(move, situation)) return transferLost(move);
  return {
    code: "transfer_pending",
    message: `its objects are still with the Worker ${move.fromWorker}.`,
    fix: `deploy ${move.fromWorker} with a step that sends the class here.`,
  };
}

function beginsWithoutObjects(move: Move): ReturnType<MoveRule> {
  if (move.kind !== "create" || move.lost === undefined) return undefined;
  const { className, fromWorker } = move.lost;
  return {
    code: "transfer_loss_allowed",
    message: `the objects that the Worker ${fromWorker} was to send are lost, and allowTransferLoss lets the class begin without any.`,
    fix: `if they may still be found, take ${className} out of allowTransferLoss and deploy nothing; else take it out after this release.`,
  };
}

/** The finding about a class whose objects are neither with its old Worker nor here. */
export const transferLost = ({ className, fromWorker }: Awaited): Finding => ({
  code: "transfer_lost",
  subject: className,
  message: `it waits for its objects from the Worker ${fromWorker}, which does not have the class any more, and they have not come.`,
  fix: `find out where they are: if ${fromWorker} renamed the class, or has another name itself, give the name back there, and send it. If they are gone for good, allowTransferLoss: [${className}] in this stack's config lets the class begin without objects.`,
});

/** Whether a live class still waits for its objects. */
const waits = (move: Move): move is Extract<Move, { kind: "keep" }> & Awaited =>
  move.kind === "keep" && move.fromWorker !== undefined;

const isLost = ({ className, fromWorker }: Awaited, situation: Situation): boolean =>
  arrivalOf(className, fromWorker, situation) === "lost";

/** Findings about the release's bindings, given the classes that exist once it is live. */
function bindingFindings(moves: readonly Move[], situation: Situation): readonly Finding[] {
  return situation.bound.flatMap((className): readonly Finding[] => {
    const move = moves.find((candidate) => candidate.className === className && staysAlive(candidate));
    if (!move) {
      return [
        {
          code: "binding_without_class",
          subject: className,
          message: "wrangler.jsonc binds to it, but it does not exist at the end of the history.",
          fix: missingClassFix(className, moves, situation),
        },
      ];
    }
    if (move.kind !== "receive" && !waits(move)) return [];
    // What is said of the class already is the whole of it.
    if (waits(move) && isLost(move, situation)) return [];
    return [
      {
        code: "binding_before_transfer",
        subject: className,
        message: `wrangler.jsonc binds to it, but its objects are still with the Worker ${move.fromWorker}.`,
        fix: `release without the binding, then let ${move.fromWorker} send the class, then add the binding.`,
      },
    ];
  });
}

/** First what keeps all objects: a name that is an old one, or misspelled, needs no new class. */
function missingClassFix(className: string, moves: readonly Move[], { code, migrations }: Situation): string {
  const alive = moves.filter(staysAlive).map((move) => move.className);
  const create = "append a step to infra/migrations.ts that creates it, or remove the binding.";
  if (code.includes(className)) return create;
  const renamed = nameNow(className, migrations);
  if (alive.includes(renamed)) return `the history has renamed it: bind to ${renamed} in wrangler.jsonc.`;
  const meant = mostLike(className, [...alive, ...code]);
  return meant === undefined ? create : `did you mean ${meant}? Then bind to that in wrangler.jsonc; else ${create}`;
}

/** What a class is called at the end of the history. */
const nameNow = (className: string, migrations: Situation["migrations"]): string =>
  migrations
    .flatMap(({ changes }) => changes)
    .reduce((name, change) => (change.op === "rename" && change.from === name ? change.to : name), className);

/** Findings about classes of the bundle that the history does not have. */
function exportFindings(moves: readonly Move[], { code }: Situation): readonly Finding[] {
  const alive = new Set(moves.filter(staysAlive).map(({ className }) => className));
  const gone = new Set(moves.map(tombstoneOf));
  return code
    .filter((className) => !alive.has(className) && !gone.has(className))
    .map((className) => ({
      code: "class_not_in_history",
      subject: className,
      message: "the release's bundle exports it, but the history does not have it: Cloudflare will ignore it.",
      fix: "if it is a Durable Object class, append a step to infra/migrations.ts that creates it.",
    }));
}

/** The Workers that wait for a class of a Worker. */
const waiting = ({ className, fromWorker }: Awaited, awaited: NonNullable<Situation["awaited"]>): readonly string[] =>
  awaited.filter((one) => one.className === className && one.fromWorker === fromWorker).map(({ worker }) => worker);

/** The Workers that bind to a class. */
const workersWith = (className: string, list: Situation["references"]): readonly string[] =>
  list.filter((one) => one.className === className).map(({ worker }) => worker);
