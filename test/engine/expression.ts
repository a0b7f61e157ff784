/** GitHub's expressions, as far as our workflows use them: paths, texts, `==`, `!=`, `!`, `&&`, `||`, `contains`, `always`. */

/** What a path such as `github.event.action` stands for. */
export type Meaning = (path: string) => unknown;

const TOKEN = /\s*('(?:[^']|'')*'|[\w-]+(?:\.[\w*-]+)*|==|!=|&&|\|\||[!(),])/y;

/** Its value. @throws Error where it has a part that this does not know. */
export function evaluate(expression: string, meaning: Meaning): unknown {
  const tokens = tokensOf(expression);
  let at = 0;
  const next = () => tokens[at++];
  const accept = (token: string) => tokens[at] === token && at++ >= 0;

  const either = (): unknown => {
    let value = both();
    while (accept("||")) {
      const other = both();
      value = isTrue(value) ? value : other;
    }
    return value;
  };
  const both = (): unknown => {
    let value = compared();
    while (accept("&&")) {
      const other = compared();
      value = isTrue(value) ? other : value;
    }
    return value;
  };
  const compared = (): unknown => {
    const value = single();
    if (accept("==")) return isSame(value, single());
    return accept("!=") ? !isSame(value, single()) : value;
  };
  const single = (): unknown => {
    if (accept("!")) return !isTrue(single());
    if (accept("(")) {
      const value = either();
      if (!accept(")")) throw new Error(`")" is missing: ${expression}`);
      return value;
    }
    const token = next() ?? "";
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (accept("(")) return called(token);
    if (token === "true" || token === "false") return token === "true";
    if (/^\d+$/.test(token)) return Number(token);
    if (!/^[a-z]/i.test(token)) throw new Error(`not known here: "${token}" in ${expression}`);
    return meaning(token);
  };
  const called = (name: string): unknown => {
    const given: unknown[] = [];
    while (!accept(")")) {
      given.push(either());
      accept(",");
    }
    if (name === "always") return true;
    const [all, one] = given;
    if (name === "contains") {
      return Array.isArray(all) ? all.some((each) => isSame(each, one)) : String(all ?? "").includes(String(one));
    }
    throw new Error(`not known here: ${name}() in ${expression}`);
  };
  const value = either();
  if (at < tokens.length) throw new Error(`not known here: "${tokens[at]}" in ${expression}`);
  return value;
}

export const isTrue = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== 0 && value !== "";

/** GitHub compares texts without regard to case, and what is missing like an empty text. */
const isSame = (one: unknown, other: unknown): boolean =>
  String(one ?? "").toLowerCase() === String(other ?? "").toLowerCase();

function tokensOf(expression: string): readonly string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const [, token] = TOKEN.exec(expression) ?? [];
    if (token === undefined) throw new Error(`not known here: "${expression.slice(start)}"`);
    tokens.push(token);
  }
  return tokens;
}

/** The member of `value` that a path names; `*` is each of a list. */
export function memberOf(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (name === "*") return Array.isArray(value) ? value.map((each) => memberOf(each, rest)) : [];
  return typeof value === "object" && value !== null ? memberOf(Reflect.get(value, name), rest) : undefined;
}
