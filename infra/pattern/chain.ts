/** Where the history stands in infra/migrations.ts, by TypeScript's own reader. */
import ts from "typescript";

/** A call behind another. */
interface Link {
  readonly method: string;
  /** Its first argument, where that is a text. */
  readonly text: string | undefined;
}

/** Calls one behind the other, as `history().step("a", …).step("b", …)`. */
export interface Chain {
  /** Where the first call ends, with the comments behind it, and where the last one does: places for `slice`. */
  readonly head: number;
  readonly end: number;
  /** The calls behind the first, in their order. */
  readonly links: readonly Link[];
}

/**
 * The chain that begins with a call of `root` and gives the file its constant `name`, as `const { name } = root()…` or
 * `const name = root()….name`; undefined where there is none.
 */
export function chainOf(text: string, name: string, root: string): Chain | undefined {
  const declarations = ts
    .createSourceFile("any.ts", text, ts.ScriptTarget.Latest, true)
    .statements.filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => declarationList.declarations);
  const last = declarations.map((declaration) => callFor(declaration, name)).find((call) => call !== undefined);
  const links: Link[] = [];
  let call = last;
  let head = last?.end ?? 0;
  while (call && ts.isPropertyAccessExpression(call.expression)) {
    const [first] = call.arguments;
    const { expression: before, name: method } = call.expression;
    head = text.slice(0, text.lastIndexOf(".", method.getStart())).trimEnd().length;
    links.unshift({ method: method.text, text: first && ts.isStringLiteralLike(first) ? first.text : undefined });
    call = ts.isCallExpression(before) ? before : undefined;
  }
  if (!last || !call || !ts.isIdentifier(call.expression) || call.expression.text !== root) return undefined;
  return { head, end: last.end, links };
}

/** The call whose result has the constant, if this declares it. */
function callFor({ name: declared, initializer }: ts.VariableDeclaration, name: string): ts.CallExpression | undefined {
  if (!initializer) return undefined;
  if (ts.isObjectBindingPattern(declared)) {
    const has = declared.elements.some(
      (one) => !one.propertyName && ts.isIdentifier(one.name) && one.name.text === name,
    );
    return has && ts.isCallExpression(initializer) ? initializer : undefined;
  }
  if (!ts.isIdentifier(declared) || declared.text !== name) return undefined;
  if (!ts.isPropertyAccessExpression(initializer) || initializer.name.text !== name) return undefined;
  return ts.isCallExpression(initializer.expression) ? initializer.expression : undefined;
}
