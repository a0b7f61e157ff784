/**
 * The reasons not to deploy a release, given its moves. A rule checks one move, one binding or one exported class. To
 * add a rule, write it and put it into its list.
 */
import type { Finding } from "./findings.ts";
import { type Move, staysAlive, tombstoneOf } from "./moves.ts";
import type { Situation } from "./situation.ts";

type MoveRule = (move: Move, situation: Situation) => Omit<Finding, "subject"> | Finding | undefined;

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
  objectsHaveArrived,
];

/** All errors and warnings about a release that makes these moves. */
export function releaseFindings(arrived: readonly Move[], situation: Situation): readonly Finding[] {
  const ofMoves = arrived.flatMap((move) =>
    MOVE_RULES.flatMap((rule) => {
      const finding = rule(move, situation);
      return finding ? [{ subject: move.className, ...finding }] : [];
    }),
  );
  return [...ofMoves, ...bindingFindings(arrived, situation), ...exportFindings(arrived, situation)];
}

function lossIsAllowed(move: Move, { allowDestroy }: Situation): ReturnType<MoveRule> {
  if (!leaves(move) || allowDestroy.includes(move.className)) return undefined;
  const what =
    move.kind === "delete"
      ? "deletes the class and all its objects"
      : `hands the class and all its objects to ${move.toWorker}`;
  return {
    code: "destroy_not_allowed",
    message: `this release ${what}, and this stack does not allow it.`,
    fix: `if those objects are no longer needed here, set allowDestroy: [${move.className}] in this stack's config; else delete the step before it is released.`,
  };
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

function nobodyWaitsForTheGivenUp(move: Move, { awaited = [] }: Situation): ReturnType<MoveRule> {
  const gone = move.kind === "send" ? undefined : tombstoneOf(move);
  const [receiver] = gone === undefined ? [] : workersWith(gone, awaited);
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
  if (awaited === undefined || workersWith(move.className, awaited).includes(move.toWorker)) return undefined;
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
    fix: `name a class that ${move.fromWorker} has.`,
  };
}

function objectsHaveArrived(move: Move, situation: Situation): ReturnType<MoveRule> {
  if (move.kind !== "keep" || move.fromWorker === undefined) return undefined;
  if (isLost(move, situation)) {
    return {
      code: "transfer_lost",
      message: `it waits for its objects from the Worker ${move.fromWorker}, which does not have the class any more, and they have not come.`,
      fix: `find out where they are: if ${move.fromWorker} renamed the class, give it its name back there, and send it. If they are gone for good, allowDestroy: [${move.className}] in this stack's config lets the class begin without objects.`,
    };
  }
  return {
    code: "transfer_pending",
    message: `its objects are still with the Worker ${move.fromWorker}.`,
    fix: `deploy ${move.fromWorker} with a step that sends the class here.`,
  };
}

/** A class that waits for its objects, or did, and its old Worker. */
type Awaited = Pick<Move, "className"> & { readonly fromWorker?: string };

/** Whether the old Worker of a class has it still. */
const isThere = ({ className, fromWorker = "" }: Awaited, { others }: Situation): boolean =>
  others.get(fromWorker)?.has(className) ?? false;

/** Whether the objects are nowhere: not with the old Worker, and not here. */
const isNowhere = (awaited: Awaited, situation: Situation): boolean =>
  situation.provisioned?.has(awaited.className) === false && !isThere(awaited, situation);

/** Whether the objects that a class has waited for have come. */
export const hasArrived = (awaited: Awaited, situation: Situation): boolean =>
  !isThere(awaited, situation) && !isNowhere(awaited, situation);

/** Whether a class waits for objects that its old Worker does not have, and that have not come either. */
export const isLost = (move: Move, situation: Situation): boolean =>
  move.kind === "keep" && move.fromWorker !== undefined && isNowhere(move, situation);

/** Findings about the release's bindings, given the classes that exist once it is live. */
function bindingFindings(arrived: readonly Move[], situation: Situation): readonly Finding[] {
  return situation.bound.flatMap((className): readonly Finding[] => {
    const move = arrived.find((candidate) => candidate.className === className && staysAlive(candidate));
    if (!move) {
      return [
        {
          code: "binding_without_class",
          subject: className,
          message: "wrangler.jsonc binds to it, but it does not exist at the end of the history.",
          fix: "append a step to infra/migrations.ts that creates it, or remove the binding.",
        },
      ];
    }
    if ((move.kind !== "receive" && move.kind !== "keep") || move.fromWorker === undefined) return [];
    // What is said of the class already is the whole of it.
    if (isLost(move, situation)) return [];
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

/** Findings about classes of the bundle that the history does not have. */
function exportFindings(arrived: readonly Move[], { code }: Situation): readonly Finding[] {
  const alive = new Set(arrived.filter(staysAlive).map(({ className }) => className));
  const gone = new Set(arrived.map(tombstoneOf));
  return code
    .filter((className) => !alive.has(className) && !gone.has(className))
    .map((className) => ({
      code: "class_not_in_history",
      subject: className,
      message: "the release's bundle exports it, but the history does not have it: Cloudflare will ignore it.",
      fix: "if it is a Durable Object class, append a step to infra/migrations.ts that creates it.",
    }));
}

/** Whether the class and its objects leave this Worker. */
const leaves = (move: Move): move is Extract<Move, { kind: "delete" | "send" }> =>
  move.kind === "delete" || move.kind === "send";

/** The Workers that name a class. */
const workersWith = (className: string, list: Situation["references"]): readonly string[] =>
  list.filter((one) => one.className === className).map(({ worker }) => worker);
