/** Addresses of a stack that are not as its settings say: what its account has beside what is declared. */
import { type Api, at } from "../../provider/api.ts";
import type { Properties } from "../../provider/values.ts";
import type { PublicSettings } from "../../stack/config.ts";
import type { Finding } from "../rules/codes.ts";
import { putsRight } from "../state/advice.ts";

/** Routes and the custom domain: those that are declared, and those that also lead to the Worker. */
export async function addressDrift(settings: PublicSettings, api: Api, refresh: string): Promise<readonly Finding[]> {
  const { accountId, workerName, zoneId, hostname, routes } = settings;
  const domains = await api.list(at`/accounts/${accountId}/workers/domains`);
  const inZone = zoneId === undefined ? [] : await api.list(at`/zones/${zoneId}/workers/routes`);
  return [
    ...addresses({
      what: "custom domain",
      addressIn: "hostname",
      workerIn: "service",
      declared: hostname === undefined ? [] : [hostname],
      there: domains,
      workerName,
      refresh,
    }),
    ...addresses({
      what: "route",
      addressIn: "pattern",
      workerIn: "script",
      declared: routes,
      there: inZone,
      workerName,
      refresh,
    }),
  ];
}

interface Addresses {
  readonly what: string;
  readonly declared: readonly string[];
  readonly workerName: string;
  /** What Cloudflare has, and which of its properties hold the address and the name of its Worker. */
  readonly there: readonly Properties[];
  readonly addressIn: string;
  readonly workerIn: string;
  readonly refresh: string;
}

function addresses({ what, declared, workerName, there, addressIn, workerIn, refresh }: Addresses): readonly Finding[] {
  const missing = declared.flatMap((address): Finding[] => {
    const found = there.find((candidate) => candidate[addressIn] === address);
    if (!found)
      return [
        {
          code: "resource_missing",
          subject: `${what} ${address}`,
          message: "it does not exist.",
          fix: putsRight(refresh),
        },
      ];
    if (found[workerIn] === workerName) return [];
    const message = `it leads to ${found[workerIn] ?? "no Worker"}, not to ${workerName}.`;
    const fix = `remove it from the other Worker once nobody needs it there, then run \`${refresh}\`, which never takes an address from another Worker.`;
    return [{ code: "resource_changed", subject: `${what} ${address}`, message, fix }];
  });
  const unknown = there
    .filter((candidate) => candidate[workerIn] === workerName && !declared.includes(String(candidate[addressIn])))
    .map(
      (candidate): Finding => ({
        code: "resource_unknown",
        subject: `${what} ${candidate[addressIn]}`,
        message: `it leads to ${workerName}, and the settings do not have it.`,
        fix: "add it to the stack's settings, or delete it where it was made.",
      }),
    );
  return [...missing, ...unknown];
}
