/** The module of a Worker in the place of another one. */

/** What of the other Worker is bound, by name. */
export interface Exported {
  /** `default` is what every module has. */
  readonly entrypoints: Iterable<string>;
  readonly classes: Iterable<string>;
}

/** A module that answers 503 to everything, and says `why`. */
export function standInModule({ entrypoints, classes }: Exported, why: string): string {
  const exported = (kind: string) => (name: string) =>
    `export class ${name} extends ${kind} { fetch() { return answer(); } }`;
  return [
    'import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";',
    `const answer = () => new Response(${JSON.stringify(why)}, { status: 503 });`,
    "export default { fetch: answer, tail() {} };",
    ...[...entrypoints].filter((name) => name !== "default").map(exported("WorkerEntrypoint")),
    ...[...classes].map(exported("DurableObject")),
  ].join("\n");
}
