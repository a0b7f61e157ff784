/** Edits of worker/index.ts and worker/patterns.ts, by TypeScript's own reader. The formatter runs after them. */
import ts from "typescript";
import { UserError } from "../common/user-error.ts";

interface Span {
  readonly start: number;
  readonly end: number;
}

const parse = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);

/**
 * The file without what it imports and exports from the folders, and without every property, element and argument
 * that is one of the imported names.
 * @throws UserError naming the lines where such a name is used in another way.
 */
export const withoutFolders = (file: string, text: string, folders: readonly string[]): string =>
  // One after the other: what is cut out of a list depends on its neighbours.
  folders.reduce((sofar, folder) => withoutFolder(file, sofar, folder), text);

function withoutFolder(file: string, text: string, folder: string): string {
  const source = parse(file, text);
  const gone = source.statements.filter((statement) => isFrom(statement, folder));
  const names = new Set(gone.flatMap(importedNames));
  const spans: Span[] = gone.map((statement) => ({ start: statement.getStart(), end: lineEnd(text, statement.end) }));
  const stuck: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (gone.some((statement) => statement === node)) return;
    if (ts.isIdentifier(node) && names.has(node.text) && isUse(node)) {
      const member = memberOf(node);
      if (member) spans.push(inList(text, member));
      else stuck.push(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (stuck.length) {
    const lines = stuck.map((node) => {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line;
      return `  ${file}:${line + 1}  ${text.split("\n")[line]?.trim()}`;
    });
    throw new UserError(
      `Nothing was changed: these lines use what would be removed. Take it out of them first.\n${lines.join("\n")}`,
    );
  }
  return without(text, spans);
}

/** The names that stand in a file's code, without those in texts and comments. */
export function identifiersOf(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(parse("any.ts", text));
  return found;
}

/** No keywords, but no module may declare them. */
const UNDECLARABLE = ["arguments", "eval"];

/** Whether a word can be the name of a constant, and is no keyword of any kind. */
export function isFreeWord(word: string): boolean {
  if (UNDECLARABLE.includes(word)) return false;
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, word);
  return scanner.scan() === ts.SyntaxKind.Identifier && scanner.getTokenEnd() === word.length;
}

/** The file with another import, behind the last one. */
export function withImport(file: string, text: string, line: string): string {
  const last = parse(file, text).statements.findLast(ts.isImportDeclaration);
  const at = last?.end ?? 0;
  return `${text.slice(0, at)}\n${line}${text.slice(at)}`;
}

/** The file with another re-export, behind the last one; behind the imports where it has none. */
export function withExport(file: string, text: string, line: string): string {
  const last = parse(file, text).statements.findLast((statement) => ts.isExportDeclaration(statement));
  return last ? `${text.slice(0, last.end)}\n${line}${text.slice(last.end)}` : withImport(file, text, `\n${line}`);
}

/** The file with another element at the end of the list that is the constant `name`; undefined where there is none. */
export function withElement(file: string, text: string, name: string, element: string): string | undefined {
  const list = find(parse(file, text), (node) =>
    ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.name.text === name && node.initializer
      ? find(node.initializer, (inner) => (ts.isArrayLiteralExpression(inner) ? inner : undefined))
      : undefined,
  );
  return list && insertInto(text, list.elements, list.end - 1, element);
}

/** The file with another property at the end of the object that is the property `name`; undefined where there is none. */
export function withProperty(file: string, text: string, name: string, property: string): string | undefined {
  const object = find(parse(file, text), (node) =>
    ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === name
      ? find(node.initializer, (inner) => (ts.isObjectLiteralExpression(inner) ? inner : undefined))
      : undefined,
  );
  return object && insertInto(text, object.properties, object.end - 1, property);
}

function find<Found extends ts.Node>(node: ts.Node, look: (node: ts.Node) => Found | undefined): Found | undefined {
  return look(node) ?? ts.forEachChild(node, (child) => find(child, look));
}

function insertInto(text: string, nodes: ts.NodeArray<ts.Node>, end: number, what: string): string {
  const last = nodes.at(-1)?.end;
  if (last === undefined) return `${text.slice(0, end)}${what}${text.slice(end)}`;
  return `${text.slice(0, last)}, ${what}${text.slice(last)}`;
}

function specifierOf(statement: ts.Statement): string | undefined {
  const declares = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
  const specifier = declares ? statement.moduleSpecifier : undefined;
  return specifier && ts.isStringLiteral(specifier) ? specifier.text : undefined;
}

const isFrom = (statement: ts.Statement, folder: string): boolean =>
  specifierOf(statement)?.startsWith(`./${folder}/`) ?? false;

function importedNames(statement: ts.Statement): readonly string[] {
  if (!ts.isImportDeclaration(statement) || !statement.importClause) return [];
  const { name, namedBindings } = statement.importClause;
  const named =
    namedBindings === undefined
      ? []
      : ts.isNamespaceImport(namedBindings)
        ? [namedBindings.name]
        : namedBindings.elements.map((element) => element.name);
  return [...(name ? [name] : []), ...named].map(({ text }) => text);
}

/** Whether an identifier stands for the imported thing; the key of a property only looks like it. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent)) return parent.name !== node;
  return !(ts.isPropertyAccessExpression(parent) && parent.name === node);
}

/** The property, element or argument that is nothing but this name. */
function memberOf(node: ts.Identifier): ts.Node | undefined {
  const { parent } = node;
  if (ts.isShorthandPropertyAssignment(parent) || ts.isPropertyAssignment(parent)) return parent;
  if (ts.isArrayLiteralExpression(parent)) return node;
  return ts.isCallExpression(parent) && parent.expression !== node ? node : undefined;
}

/** A member of a list, with the comma behind it; with the one before it where it is the last. */
function inList(text: string, member: ts.Node): Span {
  const comma = /^\s*,[ \t]*/.exec(text.slice(member.end));
  if (comma) return { start: member.getStart(), end: member.end + comma[0].length };
  const before = /,\s*$/.exec(text.slice(0, member.getStart()));
  return { start: member.getStart() - (before?.[0].length ?? 0), end: member.end };
}

const lineEnd = (text: string, at: number): number => (text[at] === "\n" ? at + 1 : at);

const without = (text: string, spans: readonly Span[]): string =>
  [...spans]
    .sort((a, b) => b.start - a.start)
    .reduce((sofar, { start, end }) => sofar.slice(0, start) + sofar.slice(end), text);
