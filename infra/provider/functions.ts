/** The provider's data sources that the program asks, with the results that its types promise. */
import { type Api, at } from "./api.ts";
import { factsOnSource } from "./facts/index.ts";
import { type InputProblem, problemsIn } from "./facts/rules.ts";
import { fromWire } from "./names.ts";
import { isObject, object, type Properties, text } from "./values.ts";
import { versionProperties } from "./versions.ts";

type DataSource = (api: Api, args: Properties) => Promise<Properties>;

const workers = (args: Properties) => at`/accounts/${text(args, "accountId")}/workers/workers`;
const versions = (args: Properties) => `${workers(args)}${at`/${text(args, "workerId")}/versions`}`;
const limit = ({ maxItems }: Properties) => (typeof maxItems === "number" ? maxItems : undefined);

const dataSources: Readonly<Record<string, DataSource>> = {
  async getWorker(api, args) {
    return { ...args, ...fromWire(await api.get(`${workers(args)}${at`/${text(args, "workerId")}`}`)) };
  },

  async getWorkers(api, args) {
    return { ...args, results: (await api.list(workers(args), { per_page: 100 }, limit(args))).map(fromWire) };
  },

  async getWorkerVersion(api, args) {
    const extra = typeof args.include === "string" ? { query: { include: args.include } } : {};
    const result = await api.get(`${versions(args)}${at`/${text(args, "versionId")}`}`, extra);
    return { ...args, ...versionProperties(result) };
  },

  async getWorkerVersions(api, args) {
    return { ...args, results: (await api.list(versions(args), {}, limit(args))).map(versionProperties) };
  },

  async getWorkersDeployments(api, args) {
    const path = at`/accounts/${text(args, "accountId")}/workers/scripts/${text(args, "scriptName")}/deployments`;
    return { ...args, results: [fromWire(await api.get(path))] };
  },

  async getWorkersScripts(api, args) {
    const path = at`/accounts/${text(args, "accountId")}/workers/scripts`;
    return { ...args, results: (await api.list(path, {}, limit(args))).map(fromWire) };
  },

  async getWorkersRoutes(api, args) {
    const path = at`/zones/${text(args, "zoneId")}/workers/routes`;
    return { ...args, results: (await api.list(path, {}, limit(args))).map(fromWire) };
  },

  async getZone(api, args) {
    const found = isObject(args.filter)
      ? await api.list("/zones", zoneQuery(args.filter))
      : [await api.get(at`/zones/${text(args, "zoneId")}`)];
    const [zone] = found;
    if (!zone || found.length > 1) {
      throw new Error(`getZone: ${found.length} zones match ${JSON.stringify(args.filter)}, and it must be one`);
    }
    return { ...args, ...fromWire(zone), zoneId: text(zone, "id") };
  },
};

/** The names of all data sources. */
export const DATA_SOURCES: readonly string[] = Object.keys(dataSources);

/** Pulumi's filter of `getZone` as the query of `GET /zones`. */
function zoneQuery({ name, status, account }: Properties): Record<string, string> {
  const { id, name: accountName } = object(account);
  const query = { name, status, "account.id": id, "account.name": accountName };
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** All that is wrong with the arguments of a data source; nothing where its rules are not known. */
export function problemsInArguments(name: string, args: Properties): readonly InputProblem[] {
  const facts = factsOnSource(name);
  if (!facts) return [];
  const { exactlyOne = [], attributes } = facts;
  const given = exactlyOne.filter((one) => args[one] !== undefined);
  const words = `Exactly one of these attributes must be configured: [${exactlyOne.join(",")}]`;
  const wrong = exactlyOne.length > 0 && given.length !== 1;
  return [...(wrong ? [{ property: "", reason: words }] : []), ...problemsIn(args, attributes)];
}

/**
 * Asks a data source by its token (`cloudflare:index/getWorker:getWorker`).
 * @throws Error when there is none of that name.
 */
export function ask(token: string, api: Api, args: Properties): Promise<Properties> {
  const name = token.startsWith("cloudflare:index/") ? (token.split(":").at(-1) ?? "") : "";
  const source = Object.hasOwn(dataSources, name) ? dataSources[name] : undefined;
  if (!source) {
    throw new Error(
      `${token}: the local adapter has no such data source. It has: ${DATA_SOURCES.join(", ")} (infra/provider).`,
    );
  }
  const problems = problemsInArguments(name, args);
  if (problems.length > 0) throw new Error(`${name}: ${problems.map(({ reason }) => reason).join("; ")}`);
  return source(api, args);
}
