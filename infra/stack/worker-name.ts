/** What a stack's Worker is called, and what Cloudflare takes for such a name. */
import * as v from "valibot";
import { LOCAL, OF_PULUMI, ownFile } from "./project.ts";

/** A host name's label has at most 63 characters, and a version's preview puts eight and a hyphen in front of the name. */
const LONGEST = 54;

/** It is a label of a host name on workers.dev, and begins the name of the stack's bucket. */
const RULE = `lower-case letters, digits and hyphens between them, at most ${LONGEST}`;

export const WorkerName = v.pipe(
  v.string("must be text"),
  v.regex(new RegExp(`^[a-z0-9]([a-z0-9-]{0,${LONGEST - 2}}[a-z0-9])?$`), `must be ${RULE}`),
);

/** The name where the stack sets none: the project's and the stack's; on this machine the project's alone. */
export const defaultWorkerName = (project: string, stack: string): string =>
  stack === LOCAL ? project : `${project}-${stack}`;

/**
 * Why a project with these stacks cannot be called `name`: its Workers are called after it. Undefined where it can.
 * A stack whose own name fits no Worker needs its `workerName` under any project.
 */
export function unfitForProject(name: string, stacks: readonly string[]): string | undefined {
  if (OF_PULUMI.has(name)) return "is in front of settings of Pulumi's own (`cloudflare:apiToken`): choose another";
  const fitting = [LOCAL, ...stacks].filter((stack) => v.is(WorkerName, stack));
  if (fitting.every((stack) => v.is(WorkerName, defaultWorkerName(name, stack)))) return undefined;
  const [longest = LOCAL] = fitting.filter((stack) => stack !== LOCAL).sort((a, b) => b.length - a.length);
  const most = LONGEST - defaultWorkerName("", longest).length;
  return `must be lower-case letters, digits and hyphens between them, at most ${most}: its Workers are called after it (${defaultWorkerName("my-app", longest)})`;
}

/** Why the project's name makes no Worker's name, and what to do; undefined where it makes one. */
export function unfitProjectName(
  project: string,
  stack: string,
): { readonly message: string; readonly fix: string } | undefined {
  const name = defaultWorkerName(project, stack);
  if (v.is(WorkerName, name)) return undefined;
  return {
    message: `workerName is not set, and the project's name (${project}, in Pulumi.yaml) makes none: "${name}" is not ${RULE}.`,
    fix: `set workerName in ${ownFile(stack)}; or, before anything is deployed, rename the project (\`name:\` in Pulumi.yaml).`,
  };
}
