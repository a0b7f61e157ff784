/** What in a stack's account is not as its settings and the release at hand say: the comparison of every resource. */
import { describe } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";
import type { Api } from "../provider/api.ts";
import { kindOf } from "../provider/index.ts";
import { check, difference } from "../provider/kind.ts";
import type { Properties } from "../provider/values.ts";
import { type Release, readRelease } from "../release/read.ts";
import { type PublicSettings, releaseDir } from "../stack/config.ts";
import { blobsInputs, isLeftOnWorkersDev, onWorkersDev, readCacheInputs, workerInputs } from "../stack/declared.ts";
import { cronsOf } from "../stack/extras.ts";
import type { OpenStack } from "../stack/open.ts";
import { abandonLine, backToLine, goOnLine, unpinLine } from "../stack/traffic-lines.ts";
import { addressDrift } from "./addresses/drift.ts";
import type { Preview } from "./preview/preview.ts";
import { servesAll, settingsThatStay } from "./preview/worker-settings.ts";
import type { Code, Finding } from "./rules/codes.ts";
import { previewUnguarded } from "./stack-preview.ts";
import { putsRight } from "./state/advice.ts";
import { KINDS } from "./storage/kinds.ts";
import { servesAsWanted } from "./traffic/split.ts";
import { trafficAfter, trafficBefore } from "./traffic/words.ts";

/** Findings of a preview that are drift whatever is to be deployed next. */
const DRIFT: ReadonlySet<Code> = new Set([
  "serving_version_not_ours",
  "deployment_not_ours",
  "bound_resource_missing",
  "orphaned_provisioned_namespace",
  "state_diverged",
  "state_unmanaged",
]);

/** What is gone does not come back. `refresh`: the command that makes it anew. */
const gone = (refresh: string): string =>
  `see that it was not renamed, and that this is the right account. What was in it is gone with it; \`${refresh}\` makes it anew, empty.`;
const GONE_WORKER =
  "see that it was not renamed, and that this is the right account. Its objects are gone with it; `up` says how it is made anew, without any.";

interface Drift {
  readonly found: readonly Finding[];
  /** What differs for a while because the program left it so: sentences. */
  readonly notes: readonly string[];
}

interface Advice {
  /** The command that puts the stack right. */
  readonly refresh: string;
  /** Where the local account keeps its state. */
  readonly dir: string;
}

/** All that differs. @throws Error when the release or the account cannot be read, or they cannot be compared. */
export async function driftOf(stack: OpenStack, { refresh, dir }: Advice): Promise<Drift> {
  const { settings, api } = stack;
  const release = readRelease(releaseDir(settings));
  const preview = await previewUnguarded(stack, release);
  if (preview.live.serving.length === 0) {
    return {
      found: [
        {
          code: "not_deployed",
          subject: settings.workerName,
          message: "nothing is deployed under this name.",
          fix: "deploy the stack with `up`.",
        },
      ],
      notes: [],
    };
  }
  if (preview.ended.length > 0) throw notCompared(stack.name, release, preview.ended);
  const stays = staysOnWorkersDev(preview);
  const found = [
    ...[...preview.errors, ...preview.passedOver, ...preview.warnings].filter(({ code }) => DRIFT.has(code)),
    ...trafficFindings(preview, dir),
    ...(await resourceFindings(stack, preview, { refresh, stays })),
    ...(await addressDrift(settings, api, refresh)),
  ];
  return { found, notes: stays ? [leftOn(settings)] : [] };
}

/** Whether the Worker is on workers.dev because the update that gave it addresses of its own left it there. */
const staysOnWorkersDev = ({ settings, ownWorker: { worker } }: Preview): boolean =>
  !onWorkersDev(settings) && worker !== undefined && isLeftOnWorkersDev(worker);

const leftOn = ({ workerName, stack }: PublicSettings): string =>
  `Note: ${workerName} still answers on workers.dev, too: the update that gave it addresses of its own left it there, for a certificate takes minutes. The next one with all traffic for the release turns it off: npm run up -- --stack ${stack}`;

/** Says why the account cannot be compared with the release: what was not looked at may have drifted. */
function notCompared(stack: string, { commit }: Release, ended: readonly Finding[]): UserError {
  const from = commit === null ? "the commit that the release was built from" : `${commit}, which the release is of`;
  // To build the release again would only compare with one that is not deployed.
  const fix = `check out ${from}, with its infra/migrations.ts, and look from there.`;
  const lines = ended.map((finding) =>
    describe(finding.code === "release_step_mismatch" ? { ...finding, fix } : finding),
  );
  return new UserError(`Whether ${stack} has drifted is not known:\n${lines.join("\n")}`);
}

/** Where the traffic goes, when that is neither as the settings ask nor explained by something that is not ours. */
function trafficFindings(preview: Preview, dir: string): readonly Finding[] {
  const { live, tag, traffic, warnings } = preview;
  const explained = warnings.some(({ code }) => code === "serving_version_not_ours" || code === "deployment_not_ours");
  if (explained || servesAsWanted(live.serving, tag, traffic)) return [];
  return [
    {
      code: "traffic_not_as_set",
      subject: "traffic",
      message: `${trafficBefore(preview).join(", ")} serve, and the settings and this release ask for ${trafficAfter(preview).join(", ")}.`,
      fix: trafficFix(preview, dir),
    },
  ];
}

function trafficFix({ live, settings: { stack, pin } }: Preview, dir: string): string {
  if (pin === 0 && live.serving.length > 1) {
    return `a rollout is under way, or was left: \`${goOnLine(stack, dir)}\` goes on, \`${abandonLine(stack, dir)}\` sends the traffic back.`;
  }
  if (pin === 0 && live.pinned !== undefined && !live.pinIsWayBack) {
    return `none, where somebody went back on purpose: the account says that ${stack} is pinned to version ${live.pinned}, and these settings have no pin. Take over those of whoever rolled back, or \`${backToLine(stack, live.pinned, dir)}\`; to end the pin: \`${unpinLine(stack, dir)}\`.`;
  }
  return "look with the release that was deployed last, or deploy this one with `up`.";
}

/** The Worker's own settings, the KV namespace and the bucket. */
async function resourceFindings(
  { settings, api }: OpenStack,
  preview: Preview,
  { refresh, stays }: { readonly refresh: string; readonly stays: boolean },
): Promise<readonly Finding[]> {
  const { release, hadCrons, live } = preview;
  const { reads, blobs, storage } = preview.claims;
  const { accountId, workerName } = settings;
  const schedules = cronsOf(release).map((cron) => ({ cron }));
  const cache = readCacheInputs(settings, reads.name);
  const bucket = blobsInputs(settings, blobs.name);
  const compare = (type: string, subject: string, declared: Properties, ignore: readonly string[] = []) =>
    compared({ api, refresh, type, subject, declared, ignore });
  const servesWhole = servesAll(preview) && live.serving.length === 1;
  const found = await Promise.all([
    compare("Worker", `Worker ${workerName}`, workerInputs(settings, release, stays), settingsThatStay(preview)),
    compare("WorkersKvNamespace", `KV namespace ${cache.title}`, cache),
    compare("R2Bucket", `bucket ${bucket.name}`, bucket),
    ...storage.map(({ kind, name, jurisdiction }) => {
      const { type, what, nameIs } = KINDS[kind];
      const where = jurisdiction === undefined ? {} : { jurisdiction };
      return compare(type, `${what} ${name}`, { accountId, [nameIs]: name, ...where });
    }),
    ...(servesWhole && (schedules.length > 0 || hadCrons)
      ? [compare("WorkersCronTrigger", "crons", { accountId, scriptName: workerName, schedules })]
      : []),
  ]);
  return found.flat();
}

interface Comparing {
  readonly api: Api;
  readonly refresh: string;
  /** The resource, as the provider calls it: `Worker`. */
  readonly type: string;
  readonly subject: string;
  readonly declared: Properties;
  /** Properties that the program leaves as they are. */
  readonly ignore: readonly string[];
}

/** One resource beside what is declared of it. */
async function compared({ api, refresh, type, subject, declared, ignore }: Comparing): Promise<readonly Finding[]> {
  const kind = kindOf(`cloudflare:index/${type.charAt(0).toLowerCase()}${type.slice(1)}:${type}`);
  const context = { api, folder: "" };
  const { inputs } = check(kind, declared);
  const id = await kind.find?.(context, inputs);
  const state = id === undefined ? undefined : await kind.read(context, id, inputs);
  if (!state)
    return [
      {
        code: "resource_missing",
        subject,
        message: "it does not exist.",
        fix: type === "Worker" ? GONE_WORKER : gone(refresh),
      },
    ];
  const { changed } = difference(kind, { inputs, state }, inputs, { folder: "", ignore });
  return changed.map((property) => ({
    code: "resource_changed",
    subject,
    message: `${property} is ${JSON.stringify(state[property])}, and the program says ${JSON.stringify(inputs[property])}.`,
    fix: putsRight(refresh),
  }));
}
