/** A pattern's keys in Pulumi.yaml and in the stacks' files, taken out line by line: all else stays as it is written. */
import { isMap, isNode, isScalar, parseDocument } from "yaml";

/** The text without the keys of its `config`, bare or with the project's name in front, and the comment right above each. */
export function withoutKeys(text: string, keys: readonly string[]): string {
  const config: unknown = parseDocument(text).get("config");
  if (!isMap(config) || config.flow) return text;
  const lines = text.split("\n");
  const lineAt = (place: number) => text.slice(0, place).split("\n").length - 1;
  const gone = new Set<number>();
  for (const { key, value } of config.items) {
    if (!isScalar(key) || !key.range || !keys.includes(String(key.value).split(":").at(-1) ?? "")) continue;
    const first = lineAt(key.range[0]);
    const last = isNode(value) && value.range ? lineAt(Math.max(value.range[1] - 1, key.range[1])) : first;
    for (let line = first; line <= last; line++) gone.add(line);
    for (let line = first - 1; /^\s*#/.test(lines[line] ?? ""); line--) gone.add(line);
  }
  return lines.filter((_, line) => !gone.has(line)).join("\n");
}
