/** The schemas that answers are held to. */

/** The part of JSON Schema that is used here. A schema without a member takes every value. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: "string" | "number" | "boolean" | "null" | "array" | "object";
  readonly const?: string | number | boolean;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | false;
  readonly anyOf?: readonly Schema[];
}

/** Schemas by method of the SDK, as `workers.routes.get`. Null: the answer is not JSON. */
export interface Schemas {
  readonly methods: Readonly<Record<string, Schema | null>>;
  /** What `$ref` names: `#/$defs/<name>`. */
  readonly $defs: Readonly<Record<string, Schema>>;
}
