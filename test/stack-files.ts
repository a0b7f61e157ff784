/**
 * The files of the stacks staging and production, as a project comes with them. What it sets there later (its accounts, a
 * host name, other limits; `pulumi config set` writes the whole file anew) is its own, and changes no test of the rest.
 */
import { CONFIG_KEYS } from "../infra/stack/schema.ts";

const PREFIXES = { staging: "stg-", production: "prd-" } as const;
type Shipped = keyof typeof PREFIXES;
const SHIPPED: readonly Shipped[] = ["staging", "production"];

/** By file: `Pulumi.staging.yaml`. */
export const STACK_FILES: ReadonlyMap<string, string> = new Map(
  SHIPPED.map((stack) => [`Pulumi.${stack}.yaml`, textOf(stack)]),
);

function textOf(stack: Shipped): string {
  return `config:
${stack === "production" ? "  promotesFrom: staging\n  soakMinutes: 30\n" : ""}\
  environmentPrefix: ${PREFIXES[stack]}
  homeRegion: eu
  regions:
    - { id: eu, prefix: eu, locationHint: weur, continents: [EU, AF] }
    - { id: us, prefix: us, locationHint: enam, continents: [NA, SA] }
    - { id: ap, prefix: ap, locationHint: apac, continents: [AS, OC, AN] }
${CONFIG_KEYS.includes("rateLimits") ? "  rateLimits:\n    default: { capacity: 100, periodSeconds: 60 }\n" : ""}`;
}
