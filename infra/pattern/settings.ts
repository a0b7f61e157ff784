/** A pattern's keys in Pulumi.yaml and in the stacks' files, taken out line by line: all else stays as it is written. */
import { isMap, isNode, isScalar, parseDocument } from "yaml";
import { fullKey } from "../stack/project.ts";

/**
 * The text without the project's own `keys` of its `config`, bare or with the project's name in front, and the comment
 * right above each. A key of another namespace stays.
 */
export function withoutKeys(text: string, keys: readonly string[], project: string): string {
  const config: unknown = parseDocument(text).get("config");
  if (!isMap(config) || config.flow) return text;
  const lines = text.split("\n");
  const lineAt = (place: number) => text.slice(0, place).split("\n").length - 1;
  const own = new Set(keys.map((key) => fullKey(project, key)));
  const gone = new Set<number>();
  for (const { key, value } of config.items) {
    if (!isScalar(key) || !key.range || !own.has(fullKey(project, String(key.value)))) continue;
    const first = lineAt(key.range[0]);
    const last = isNode(value) && value.range ? lineAt(Math.max(value.range[1] - 1, key.range[1])) : first;
    for (let line = first; line <= last; line++) gone.add(line);
    for (let line = first - 1; /^\s*#/.test(lines[line] ?? ""); line--) gone.add(line);
  }
  return lines.filter((_, line) => !gone.has(line)).join("\n");
}
