/** What infra/index.ts gives the Worker besides what wrangler.jsonc and the stack's settings say. */
import type * as pulumi from "@pulumi/pulumi";
import type * as cloudflare from "../cloudflare.ts";

/** Secrets by their names. One that is undefined the Worker does not have. */
export type Secrets = Readonly<Record<string, string | pulumi.Output<string> | undefined>>;

export interface ProgramBindings {
  readonly secrets: Secrets;
  readonly bindings: readonly cloudflare.types.input.WorkerVersionBinding[];
}

/** The names under which a version has them. One that is known only when a resource is made is not among them. */
export const programNames = ({ secrets, bindings }: ProgramBindings): readonly string[] => [
  ...Object.keys(secrets).filter((name) => secrets[name] !== undefined),
  ...bindings.flatMap(({ name }) => (typeof name === "string" ? name : [])),
];

/**
 * Whether infra/index.ts, by its text, has nothing in its two lists beside the admin token, as far as that can be told
 * without running it.
 */
export const addsNothing = (source: string): boolean =>
  /^const secrets = \{\s*ADMIN_TOKEN: [\w.]+,\s*ADMIN_TOKEN_PREVIOUS: [\w.]+,?\s*\};$/m.test(source) &&
  /^const bindings\b.* = \[\s*\];$/m.test(source);
