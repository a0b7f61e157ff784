/**
 * Which Worker of the account is this stack's, whatever it is called: pure. A Worker's objects hang on its id, so one
 * that gets another name keeps them, and one that is made anew under another name has none.
 */
import type { PublicSettings } from "../../stack/config.ts";
import { LOGICAL, stackTag } from "../../stack/declared.ts";
import type { WorkerRead } from "../account/reads.ts";
import { type Finding, isError } from "../rules/codes.ts";
import { outOfState } from "../state/advice.ts";
import type { Known } from "../state/known.ts";

export interface OwnWorker {
  /** The stack's Worker as it is in the account, or the one that has its name; undefined: there is none. */
  readonly worker: WorkerRead | undefined;
  /** The name that it has now; the settings' where there is none. */
  readonly name: string;
  /** Whether the state has a Worker, in the account or not. */
  readonly inState: boolean;
  /** The name that it has and is to lose; undefined: it keeps its name. */
  readonly renamedFrom: string | undefined;
  readonly findings: readonly Finding[];
}

type Who = Pick<PublicSettings, "accountId" | "workerName" | "project" | "stack">;

/** `known`: the state; undefined where nobody can read it: then the tag of the stack tells. */
export function ownWorkerOf(settings: Who, workers: readonly WorkerRead[], known: Known | undefined): OwnWorker {
  const { workerName } = settings;
  const named = workers.find(({ name }) => name === workerName);
  const state = known?.get("Worker", LOGICAL.worker);
  const inState = state !== undefined;
  const tag = stackTag(settings);
  const tagged = workers.filter(({ tags }) => tags.includes(tag));
  const own = inState ? workers.find(({ id }) => id === state.id) : tagged.length === 1 ? tagged[0] : undefined;
  const is = (worker: WorkerRead | undefined, ...findings: readonly Finding[]): OwnWorker => {
    const name = worker?.name ?? workerName;
    const renamedFrom = name === workerName || findings.some(isError) ? undefined : name;
    return { worker, name, inState, renamedFrom, findings };
  };

  if (typeof state?.accountId === "string" && state.accountId !== settings.accountId) {
    return is(undefined, moved(settings, state.accountId));
  }
  if (inState && !own) {
    if (named) return is(undefined, madeAnew(settings, known));
    return is(undefined, ...(known?.looksAtAll ? [] : [gone(settings, known)]));
  }
  if (!own || own === named || named?.tags.includes(tag)) return is(named);
  if (named) return is(own, taken(settings, own));
  if (known && !inState) return is(own, elsewhere(settings, own));
  return is(own, ...boundByName(settings, own));
}

const taken = ({ workerName }: Who, own: WorkerRead): Finding => ({
  code: "worker_name_taken",
  subject: workerName,
  message: `this stack's Worker is called ${own.name}, and ${workerName} is the name of another Worker of the account.`,
  fix: `set workerName back to ${own.name}, or to a name that no Worker has; for ${workerName} itself, make a stack of its own.`,
});

/** No move: a Worker cannot leave its account, and the provider would make another one and delete this one. */
const moved = ({ accountId, stack }: Who, from: string): Finding => ({
  code: "account_changed",
  subject: `${from} -> ${accountId}`,
  message:
    "this stack's Worker is in the first account, with all its objects; in the other one it would begin without any, and the first would be deleted.",
  fix: `set accountId back to ${from}. For the other account, make a stack of its own beside ${stack}: a file Pulumi.<stack>.yaml and \`pulumi stack init <stack>\`. Objects stay in their account; what they hold is moved by their own routes, while both stacks are up.`,
});

const SEE_FIRST =
  "see first that accountId and the token are of the account that the stack was deployed to: there the Worker has its objects. Where somebody deleted it, they are gone with it;";

/** To the engine nothing has changed: it would send nothing, and end well. */
const gone = ({ workerName, stack }: Who, known: Known | undefined): Finding => ({
  code: "worker_gone",
  subject: workerName,
  message: `the state of ${stack} has its Worker, and the account has it no more.`,
  fix: `${SEE_FIRST} ${outOfState({ stack }, known, "and the next `up` makes it anew, without objects.")}`,
});

const madeAnew = ({ workerName, stack }: Who, known: Known | undefined): Finding => ({
  code: "worker_made_anew",
  subject: workerName,
  message: "the Worker in this stack's state is gone from the account, and another one has its name.",
  fix: `${SEE_FIRST} ${outOfState({ stack }, known, "then plan again.")}`,
});

const elsewhere = ({ workerName, stack }: Who, own: WorkerRead): Finding => ({
  code: "worker_under_another_name",
  subject: workerName,
  message: `the state has no Worker, and the account has this stack's under the name ${own.name}: made anew, it would begin without its objects.`,
  fix: `set workerName to ${own.name} and \`npm run recover -- --stack ${stack}\`; rename it after that.`,
});

/** Other Workers that name this one in a binding. */
export function bindersOf({ name, references }: Pick<WorkerRead, "name" | "references">): readonly string[] {
  const binders = [
    ...references.workers.map((other) => other.name),
    ...references.durableObjects.map((o) => o.workerName),
  ];
  return [...new Set(binders)].filter((other) => other !== name).sort();
}

/** Workers that wait to receive a class from this one by its name: under a new one, nobody would send it. */
export function awaitedByName(
  { renamedFrom }: Pick<OwnWorker, "renamedFrom">,
  { workerName }: Who,
  awaited: readonly { readonly className: string; readonly worker: string }[],
): readonly Finding[] {
  return awaited.map(({ className, worker }) => ({
    code: "worker_rename_blocked",
    subject: `${renamedFrom} -> ${workerName}`,
    message: `the Worker ${worker} waits to receive ${className} from ${renamedFrom}, and would wait for ever.`,
    fix: `set workerName back to ${renamedFrom}; rename it once ${className} has been handed over, or ${worker} waits no more.`,
  }));
}

/** Bindings to this Worker, which a new name would break. */
function boundByName({ workerName }: Who, worker: WorkerRead): readonly Finding[] {
  const { name } = worker;
  const others = bindersOf(worker);
  if (others.length === 0) return [];
  return [
    {
      code: "worker_rename_blocked",
      subject: `${name} -> ${workerName}`,
      message: `${others.join(", ")} ${others.length === 1 ? "has" : "have"} bindings to it by its name, which would break.`,
      fix: `set workerName back to ${name}, or deploy ${others.join(", ")} without these bindings first.`,
    },
  ];
}
