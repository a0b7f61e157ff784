/**
 * What runs on this machine is not behind a proxy. Where NODE_USE_ENV_PROXY is set, Node asks the environment's proxy for
 * every address, also for 127.0.0.1, unless NO_PROXY names that; in companies it seldom does.
 */
import http from "node:http";

const OWN = ["localhost", ".localhost", "127.0.0.1", "[::1]"];
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

type Environment = Readonly<Record<string, string | undefined>>;

/** NO_PROXY with the names of this machine; undefined where there is no proxy, or it has them. */
export function noProxyWithOwn(env: Environment): string | undefined {
  if (!PROXIES.some((name) => env[name])) return undefined;
  // Who reads both takes the small name.
  const given = (env.no_proxy ?? env.NO_PROXY ?? "").split(/[\s,]+/).filter(Boolean);
  const lacking = OWN.filter((host) => !given.includes(host));
  return given.includes("*") || lacking.length === 0 ? undefined : [...given, ...lacking].join(",");
}

/** Lets this process, and those that it starts, reach this machine without the proxy. */
export function reachOwnDirectly(): void {
  const noProxy = noProxyWithOwn(process.env);
  if (noProxy === undefined) return;
  Object.assign(process.env, { NO_PROXY: noProxy, no_proxy: noProxy });
  // Node's fetch sees the change. Its http has read the environment when the process began.
  if (process.env.NODE_USE_ENV_PROXY === "1") http.setGlobalProxyFromEnv({ ...process.env });
}
