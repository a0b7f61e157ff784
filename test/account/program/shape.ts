/** What a test may ask of the program beside this file. */
export interface Shape {
  /** Title of the KV namespace. */
  readonly title?: string;
  /** Whether there is one; true by default. */
  readonly cache?: boolean;
  /** Protects it. */
  readonly protect?: boolean;
  /** The module that the Worker's text is from. */
  readonly code?: "one" | "two";
  /** Name of the bucket: another one replaces it. */
  readonly bucket?: string;
  /** Keeps the bucket when it is deleted or replaced. */
  readonly retain?: boolean;
  /** An ignored property of the version. */
  readonly deploy?: boolean;
  /** A zone for a route and a custom domain, and with them a cron trigger. */
  readonly zone?: string;
  readonly mistake?: "for people" | "of the program";
  /** File that the process of the program writes its id to. */
  readonly pidFile?: string;
}
