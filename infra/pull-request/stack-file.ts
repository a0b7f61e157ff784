/** The settings of a pull request's stack: pure. They are those of another stack, without what is that one's alone. */
import { everNamed, type Migration } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { sharedSettings } from "../../contract/settings.ts";
import { UserError } from "../common/user-error.ts";
import { writtenYaml } from "../common/yaml-file.ts";
import { stackOf } from "../stack/pull-stack.ts";
import { defaultWorkerName, WorkerName } from "../stack/worker-name.ts";

/** What is taken over: what the Worker is told, and where its objects are. */
const TAKEN = ["homeRegion", "regions", "vars", ...Object.keys(sharedSettings)];

interface Like {
  /** The project's name (Pulumi.yaml). */
  readonly project: string;
  /** The config of the other stack, as its file has it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly migrations: readonly Migration[];
}

/**
 * The text of `Pulumi.pr-<number>.yaml`. The stack has an own prefix and an own Worker on workers.dev, nothing of it is
 * protected, and its data may go: a class that the pull request deletes, and an older commit after a push by force.
 * Bindings and regions that it takes back, this file cannot name any more: the plan knows its stack by its name.
 * @throws UserError where the project's name is too long for such a Worker.
 */
export function stackFile(pull: number, { project, config, migrations }: Like): string {
  const stack = stackOf(pull);
  const workerName = defaultWorkerName(project, stack);
  if (!v.is(WorkerName, workerName)) {
    throw new UserError(
      `The Worker of pull request ${pull} would be called "${workerName}", which Cloudflare does not take. Choose a shorter name for the project (\`name:\` in Pulumi.yaml).`,
    );
  }
  const taken = TAKEN.flatMap((key) => {
    const value = config[key] ?? config[`${project}:${key}`];
    return value === undefined || isEncrypted(value) ? [] : [[key, value] as const];
  });
  const settings = {
    ...Object.fromEntries(taken),
    workerName,
    environmentPrefix: `pr${pull}-`,
    protect: false,
    allowOlderRelease: "any",
    allowDestroy: [...everNamed(migrations)],
  };
  return `# The stack of pull request ${pull}. Made by npm run pr -- stack …; it goes with the pull request.\n${writtenYaml({ config: settings })}`;
}

const isEncrypted = (value: unknown): boolean => v.is(v.strictObject({ secure: v.string() }), value);
