/**
 * What runs on this machine is not behind a proxy. Where NODE_USE_ENV_PROXY or --use-env-proxy is set, Node asks the
 * environment's proxy for every address, also for 127.0.0.1, unless NO_PROXY names that; in companies it seldom does.
 */
import http from "node:http";

const OWN = ["localhost", ".localhost", "127.0.0.1", "[::1]"];
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

type Environment = Readonly<Record<string, string | undefined>>;

/** The exceptions under both names, with this machine; undefined where there is no proxy, or nothing is missing. */
export function noProxyWithOwn(env: Environment): string | undefined {
  if (!PROXIES.some((name) => env[name])) return undefined;
  const { NO_PROXY: capital, no_proxy: small } = env;
  // Who reads both prefers one of them: Node the small name, Go, and so the Pulumi CLI, the other.
  if ([capital ?? small, small ?? capital].every((list) => hasOwn(hostsOf(list)))) return undefined;
  const hosts = new Set([...hostsOf(capital), ...hostsOf(small), ...OWN]);
  return hosts.has("*") ? "*" : [...hosts].join(",");
}

const hostsOf = (list = ""): string[] => list.split(/[\s,]+/).filter(Boolean);

/** Node takes a star for all hosts only if it stands alone. */
const hasOwn = (hosts: readonly string[]): boolean => hosts.join() === "*" || OWN.every((host) => hosts.includes(host));

/** Lets this process, and those that it starts, reach this machine without the proxy. */
export function reachOwnDirectly(): void {
  const noProxy = noProxyWithOwn(process.env);
  if (noProxy === undefined) return;
  Object.assign(process.env, { NO_PROXY: noProxy, no_proxy: noProxy });
  // Node's fetch sees the change. Its http has read the environment when the process began.
  if (asksProxy()) http.setGlobalProxyFromEnv({ ...process.env });
}

/** Whether Node was told to ask the environment's proxy. */
function asksProxy(): boolean {
  const { NODE_USE_ENV_PROXY, NODE_OPTIONS = "" } = process.env;
  // Node takes a flag with underscores, too.
  return (
    NODE_USE_ENV_PROXY === "1" ||
    [NODE_OPTIONS, ...process.execArgv].some((flags) => /--use[-_]env[-_]proxy/.test(flags))
  );
}
