/** The versions of a Worker in a local account, and their shares of the traffic. */
import * as v from "valibot";
import type { TestAccount } from "../packages/local-account/test/support.ts";

const Versions = v.array(v.object({ id: v.string(), number: v.number() }));
const Deployments = v.object({
  deployments: v.array(v.object({ versions: v.array(v.object({ version_id: v.string(), percentage: v.number() })) })),
});

export const versionsOf = async (account: TestAccount, worker: string) =>
  v.parse(Versions, await account.call("get", `/workers/workers/${worker}/versions`));

/** The id of the version with this number. */
export const versionId = async (account: TestAccount, worker: string, number: number): Promise<string> =>
  (await versionsOf(account, worker)).find((version) => version.number === number)?.id ?? "";

/** The percentage of the traffic, by version number. */
export async function sharesOf(account: TestAccount, worker: string): Promise<Record<string, number>> {
  const all = await versionsOf(account, worker);
  const { deployments } = v.parse(Deployments, await account.call("get", `/workers/scripts/${worker}/deployments`));
  const numbered = (deployments[0]?.versions ?? []).map(({ version_id, percentage }) => [
    all.find(({ id }) => id === version_id)?.number,
    percentage,
  ]);
  return Object.fromEntries(numbered);
}
