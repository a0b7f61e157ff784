/** A copy of this project, built and applied to a local account. */
import type { RunningAccount } from "@durable-stack/local-account";
import { expect } from "vitest";
import { applyProgram } from "../../infra/apply/apply.ts";
import type { Step } from "../../infra/apply/steps.ts";
import { fullKey, projectName } from "../../infra/stack/project.ts";
import type { ProjectCopy } from "../project-copy.ts";

interface Options {
  /** Overrides settings of the copy, by key. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Is told what the program prints. */
  readonly onLine?: (line: string) => void;
}

/** Builds and applies. Returns the steps that changed something. */
export async function buildAndApply(
  project: ProjectCopy,
  dir: string,
  { apiUrl, accountId, token }: Pick<RunningAccount, "apiUrl" | "accountId" | "token">,
  { config = {}, onLine }: Options = {},
): Promise<readonly Step[]> {
  const built = await project.run("node infra/commands/build.ts");
  expect(built.code, built.text).toBe(0);
  const { steps } = await applyProgram({
    dir,
    root: project.root,
    ...(onLine && { onLine }),
    account: { apiUrl, accountId, token },
    config: {
      [fullKey(projectName(), "adminToken")]: "a-token-that-is-long-enough",
      ...Object.fromEntries(Object.entries(config).map(([key, value]) => [key, JSON.stringify(value)])),
    },
  });
  return steps.filter(({ action }) => action !== "unchanged");
}
