/** The shape of facts.json: what the real provider takes and does, as data. */

/** One attribute. Its path is its key: `a[].b` in a list or set, `a.*.b` in a map, `a.b` in an object. */
export interface Attribute {
  /** As Terraform has it: `string`, `set(object)`, `string (JSON)`, … */
  readonly type: string;
  readonly required?: boolean;
  /** Nobody may set it. */
  readonly readOnly?: boolean;
  /** What is left out the provider or the API fills in. */
  readonly computed?: boolean;
  readonly sensitive?: boolean;
  readonly default?: unknown;
  /** Whether a change replaces the resource. */
  readonly replaces?: boolean;
  /** Whether it does so only while the program sets it. */
  readonly ifConfigured?: boolean;
  /** In any letter case. */
  readonly oneOf?: readonly string[];
  readonly eachOneOf?: readonly string[];
  readonly between?: readonly number[];
  readonly atLeast?: number;
  readonly booleanOrTexts?: boolean;
  /** Attributes beside it that must not be set together with it. */
  readonly without?: readonly string[];
  /** Attributes beside it of which one must be set where it is not. */
  readonly orElse?: readonly string[];
}

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Resource {
  /** `<account_id>/<worker_id>`. */
  readonly importId: string;
  /** Whether a delete is a call at all: versions and deployments stay at Cloudflare. */
  readonly deletes: boolean;
  readonly attributes: Attributes;
}

export interface DataSource {
  /** Arguments of which exactly one must be given. */
  readonly exactlyOne?: readonly string[];
  readonly attributes: Attributes;
}

export interface Facts {
  /** The version of the Terraform provider. */
  readonly provider: string;
  /** What a configured API token must match. */
  readonly apiToken: string;
  /** How the provider's client repeats a call: seconds before each repetition, each up to the share `less` shorter. */
  readonly retry: { readonly attempts: number; readonly waits: readonly number[]; readonly less: number };
  /** By Pulumi's type token. */
  readonly resources: Readonly<Record<string, Resource>>;
  /** By Pulumi's name of the function. */
  readonly dataSources: Readonly<Record<string, DataSource>>;
}
