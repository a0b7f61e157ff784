/**
 * The project's name: it stands in Pulumi.yaml and nowhere else, so that `pulumi new` or a person can change it there.
 * Pulumi puts it in front of every key of the config.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../release/root.ts";

/** The name in Pulumi.yaml. Read by its line: this is loaded by every command, and a YAML parser takes longer. */
export const projectName: string = nameIn(readFileSync(join(ROOT, "Pulumi.yaml"), "utf8"));

/** A key of the config in full, as Pulumi hands it to the program: `durable-stack:pin` for `pin`. */
export const configKey = (key: string): string => `${projectName}:${key}`;

/**
 * The project's name in the text of a Pulumi.yaml.
 * @throws Error when it has none.
 */
export function nameIn(text: string): string {
  const name = /^name:\s*["']?([^\s"'#]+)/m.exec(text)?.[1];
  if (name === undefined) throw new Error("Pulumi.yaml has no name. Fix: begin it with a line like `name: my-app`.");
  return name;
}
