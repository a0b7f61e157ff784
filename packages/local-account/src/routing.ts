/** Finds the Worker for a request, by Cloudflare's precedence of addresses. Pure. */
import { LOOPBACK } from "./loopback.ts";
import type { State, Version, Worker } from "./model.ts";
import { ownsClasses, servingVersions, versionsOf, workerNamed } from "./queries.ts";

export type Routed =
  | { readonly worker: Worker }
  /** The preview address of one version. */
  | { readonly worker: Worker; readonly preview: Version }
  /** Nothing answers there. `reason` says why, for a person. */
  | { readonly reason: string };

/**
 * The Worker for `host` (without port) and `pathname`: on loopback the default Worker; under the account's subdomain
 * the Worker that the host names; else by the most specific route, else by the custom domain.
 */
export function target(state: State, host: string, pathname: string, defaultWorker: string | undefined): Routed {
  const subdomain = [...state.identity.values()][0]?.subdomain;
  const hostname = host.toLowerCase();
  if (LOOPBACK.test(hostname)) return onLoopback(state, defaultWorker);
  if (subdomain !== undefined && hostname.endsWith(`.${subdomain}.localhost`))
    return onSubdomain(state, hostname.slice(0, -`.${subdomain}.localhost`.length));
  const route = mostSpecific(state, hostname, pathname);
  if (route !== undefined)
    return route.script === null
      ? { reason: `Route ${route.pattern} has no Worker.` }
      : serving(state, workerNamed(state, route.script), route.script);
  const domain = [...state.domains.values()].find((candidate) => candidate.hostname === hostname);
  if (domain !== undefined) return serving(state, workerNamed(state, domain.service), domain.service);
  return { reason: `No route and no custom domain of this account covers ${hostname}${pathname}.` };
}

/** The Worker of `http://127.0.0.1`: the chosen default if it is deployed, else the first deployed Worker. */
function onLoopback(state: State, chosen: string | undefined): Routed {
  const worker = chosen === undefined ? undefined : workerNamed(state, chosen);
  if (worker !== undefined && servingVersions(state, worker.id).length > 0) return { worker };
  const first = [...state.workers.values()].find(({ id }) => servingVersions(state, id).length > 0);
  return first === undefined ? { reason: "No Worker is deployed yet." } : { worker: first };
}

function onSubdomain(state: State, label: string): Routed {
  const worker =
    workerNamed(state, label) ?? [...state.workers.values()].find(({ name }) => name.toLowerCase() === label);
  if (worker === undefined) return onPreview(state, label);
  if (!worker.subdomain.enabled)
    return { reason: `Worker '${worker.name}' is not enabled on the account's subdomain.` };
  return serving(state, worker, label);
}

/**
 * `<prefix>-<worker>`: the prefix is the first 8 digits of a version's id, or its alias (`--preview-alias`); of several
 * versions with an alias, the newest has it. As at Cloudflare, versions with objects of their own have no preview.
 */
function onPreview(state: State, label: string): Routed {
  const [found] = [...state.workers.values()].flatMap((worker) => {
    const suffix = `-${worker.name.toLowerCase()}`;
    if (!label.endsWith(suffix)) return [];
    const prefix = label.slice(0, -suffix.length);
    const version = versionsOf(state, worker.id).find(
      ({ id, annotations }) =>
        (prefix.length === 8 && id.startsWith(prefix)) || annotations["workers/alias"]?.toLowerCase() === prefix,
    );
    return version === undefined ? [] : [{ worker, version }];
  });
  if (found === undefined) return { reason: `There is no Worker '${label}'.` };
  const { worker, version } = found;
  if (!worker.subdomain.previews_enabled) return { reason: `Worker '${worker.name}' has no previews enabled.` };
  if (ownsClasses(version))
    return { reason: `Version ${version.id} implements Durable Objects, and such versions have no preview address.` };
  return { worker, preview: version };
}

function serving(state: State, worker: Worker | undefined, name: string): Routed {
  if (worker === undefined) return { reason: `There is no Worker '${name}'.` };
  if (servingVersions(state, worker.id).length === 0) return { reason: `Worker '${worker.name}' has no deployment.` };
  return { worker };
}

interface Pattern {
  /** The host; a leading `*` matches any prefix. */
  readonly host: string;
  readonly path: string;
}

/** The parts of a route's pattern, or what is wrong with it. */
export function parsePattern(pattern: string): Pattern | string {
  const [, host, path] = /^(?:https?:\/\/|\*:\/\/)?([^/]+)(\/.*)?$/.exec(pattern) ?? [];
  if (host === undefined) return "it must be a host and a path, as in example.com/*";
  if (host.includes("*") && !/^\*[^*]*$/.test(host)) return "a * in the host must be its first character";
  if (host === "*" && path === undefined) return "it must name a host";
  if (path?.includes("?")) return "it may not have a query";
  if (path !== undefined && /\*./.test(path)) return "a * in the path must be its last character";
  return { host: host.toLowerCase(), path: path ?? "/" };
}

function mostSpecific(state: State, hostname: string, pathname: string) {
  return [...state.routes.values()]
    .flatMap((route) => {
      const parts = parsePattern(route.pattern);
      return typeof parts !== "string" && covers(parts, hostname, pathname) ? [{ route, parts }] : [];
    })
    .sort((a, b) => compare(b.parts, a.parts))[0]?.route;
}

function covers({ host, path }: Pattern, hostname: string, pathname: string): boolean {
  const suffix = host.slice(1);
  // `*.example.com` covers every subdomain and not example.com; `*example.com` covers both.
  const hostCovers = host.startsWith("*")
    ? hostname.endsWith(suffix) && hostname !== suffix.replace(/^\./, "")
    : host === hostname;
  const bare = host.startsWith("*") && !host.startsWith("*.") && hostname === suffix;
  const pathCovers = path.endsWith("*") ? pathname.startsWith(path.slice(0, -1)) : pathname === path;
  return (hostCovers || bare) && pathCovers;
}

/** Positive if `a` is more specific: an exact host before a wildcard, then the longer host, then the longer path. */
function compare(a: Pattern, b: Pattern): number {
  const exact = (text: string, at: "start" | "end") =>
    Number(!(at === "start" ? text.startsWith("*") : text.endsWith("*")));
  return (
    exact(a.host, "start") - exact(b.host, "start") ||
    a.host.length - b.host.length ||
    exact(a.path, "end") - exact(b.path, "end") ||
    a.path.length - b.path.length
  );
}
