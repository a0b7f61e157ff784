/** Makes JSON Schemas of answers from the declarations of the official SDK, with the TypeScript compiler: seconds. */
import path from "node:path";
import ts from "typescript";
import type { Schema, Schemas } from "./schema.ts";

/**
 * The SDK's methods return what is in `result` of the answer, except where they return a page, the whole answer, or
 * no JSON. In the declarations, an answer is a type with `success` and `errors`.
 */
const PROGRAM = (methods: readonly string[]) => `
import type Cloudflare from "cloudflare";
type Whole<T> =
  [T] extends [string | Response] ? "not JSON"
  : [T] extends [{ getPaginatedItems(): unknown }] ? Pick<T, keyof T & ("result" | "result_info")>
  : [T] extends [{ success: unknown; errors: unknown }] ? T
  : { result: T };
type Item<T> = T extends { getPaginatedItems(): (infer I)[]; result_info: infer Info } ? { result: I; result_info: Info } : never;
${methods.map((method, index) => `export declare const m${index}: ${answerOf(method)};`).join("\n")}
`;

function answerOf(method: string): string {
  const name = method.replace(/^item of /, "");
  return `${name === method ? "Whole" : "Item"}<Awaited<ReturnType<Cloudflare["${name.replaceAll(".", '"]["')}"]>>>`;
}

/** The schemas of the whole answers of these methods. @throws Error if the SDK has no such method. */
export function make(methods: readonly string[]): Schemas {
  const file = path.join(import.meta.dirname, "methods.virtual.ts");
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ["node"],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(file, PROGRAM(methods), ts.ScriptTarget.ES2024)
      : getSourceFile.call(host, name, ...rest);
  const program = ts.createProgram([file], options, host);
  const source = program.getSourceFile(file);
  const [mistake] = program.getSemanticDiagnostics(source);
  if (mistake !== undefined)
    throw new Error(
      `a method that the SDK does not have: ${ts.flattenDiagnosticMessageText(mistake.messageText, " ")}`,
    );
  const checker = program.getTypeChecker();
  const converter = new Converter(checker);
  const found: Record<string, Schema | null> = {};
  const symbol = source && checker.getSymbolAtLocation(source);
  for (const { name, type } of (symbol ? checker.getExportsOfModule(symbol) : []).map((constant) => ({
    name: constant.name,
    type: checker.getTypeOfSymbol(constant),
  }))) {
    const method = methods[Number(name.slice(1))];
    if (method !== undefined) found[method] = type.isStringLiteral() ? null : converter.schema(type);
  }
  return { methods: found, $defs: Object.fromEntries(converter.definitions) };
}

const PRIMITIVES = [
  [ts.TypeFlags.String, { type: "string" }],
  [ts.TypeFlags.Number, { type: "number" }],
  [ts.TypeFlags.Boolean, { type: "boolean" }],
  [ts.TypeFlags.Null, { type: "null" }],
  [ts.TypeFlags.Unknown | ts.TypeFlags.Any, {}],
] as const satisfies readonly (readonly [ts.TypeFlags, Schema])[];

/** The compiler splits `boolean` in unions, and an optional member is a union with `undefined`. */
function union(parts: readonly Schema[]): Schema {
  const others = parts.filter((part) => typeof part.const !== "boolean");
  const kinds: Schema[] = parts.length - others.length === 2 ? [...others, { type: "boolean" }] : [...parts];
  const [only] = kinds;
  return kinds.length === 1 && only !== undefined ? only : { anyOf: kinds };
}

class Converter {
  readonly definitions = new Map<string, Schema>();
  readonly #checker: ts.TypeChecker;
  readonly #names = new Map<ts.Type, string>();

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  schema(type: ts.Type): Schema {
    const primitive = PRIMITIVES.find(([flag]) => (type.flags & flag) !== 0);
    if (primitive !== undefined) return primitive[1];
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (type.flags & ts.TypeFlags.BooleanLiteral) return { const: this.#checker.typeToString(type) === "true" };
    if (type.isUnion()) {
      const parts = type.types.filter(({ flags }) => (flags & ts.TypeFlags.Undefined) === 0);
      return union(parts.map((part) => this.schema(part)));
    }
    return this.#object(type);
  }

  /** Objects are definitions, because types may contain themselves. */
  #object(type: ts.Type): Schema {
    const known = this.#names.get(type);
    if (known !== undefined) return { $ref: known };
    const name = `${type.aliasSymbol?.name ?? type.symbol?.name ?? "object"}-${this.#names.size}`.replace(
      "__type",
      "object",
    );
    this.#names.set(type, `#/$defs/${name}`);
    this.definitions.set(name, this.#members(type));
    return { $ref: `#/$defs/${name}` };
  }

  #members(type: ts.Type): Schema {
    const item = this.#checker.getIndexTypeOfType(type, ts.IndexKind.Number);
    if (this.#checker.isArrayType(type) && item !== undefined) return { type: "array", items: this.schema(item) };
    const members = this.#checker.getPropertiesOfType(type);
    const rest = this.#checker.getIndexTypeOfType(type, ts.IndexKind.String);
    return {
      type: "object",
      properties: Object.fromEntries(
        members.map((member) => [member.name, this.schema(this.#checker.getTypeOfSymbol(member))]),
      ),
      required: members.filter(({ flags }) => (flags & ts.SymbolFlags.Optional) === 0).map(({ name }) => name),
      // An interface without members says nothing about them.
      ...(rest !== undefined
        ? { additionalProperties: this.schema(rest) }
        : members.length > 0 && { additionalProperties: false }),
    };
  }
}
