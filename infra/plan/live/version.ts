/** What is known of a Worker's versions and traffic, as it is compared. */

/** A binding of a version; the text of a secret is never among its properties. */
export interface Binding {
  readonly name: string;
  readonly [property: string]: unknown;
}

/** A version as it is compared. */
export interface KnownVersion {
  readonly versionId: string;
  readonly number: number;
  readonly tag: string | undefined;
  /** The digest of its release; undefined: no release of ours made it. */
  readonly digest: string | undefined;
  /** What made it, as Cloudflare says: `api`, `wrangler`, `dash`, `secret`… */
  readonly source: string | undefined;
  readonly bindings: readonly Binding[];
}

/** A version that serves now, and its share of the traffic in per cent. */
export interface Serving {
  readonly versionId: string;
  readonly percentage: number;
  readonly number: number;
  /** The tag that the program gave the version; undefined: something else made it. */
  readonly tag: string | undefined;
}

/** The deployment that is in force. */
export interface KnownDeployment {
  readonly id: string;
  readonly message: string | undefined;
  readonly source: string | undefined;
}

export interface Observed {
  readonly serving: readonly Serving[];
  /** All versions, the newest first. */
  readonly versions: readonly KnownVersion[];
  readonly deployment: KnownDeployment | undefined;
}
