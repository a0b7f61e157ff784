/** The settings of the program beside this file. */
export interface Shape {
  /** Title of the KV namespace. */
  readonly title?: string;
  /** Whether there is a KV namespace; true by default. */
  readonly cache?: boolean;
  /** Whether to protect it. */
  readonly protect?: boolean;
  /** The module with the Worker's text. */
  readonly code?: "one" | "two";
  /** Name of the bucket. Another name replaces the bucket. */
  readonly bucket?: string;
  /** Keeps the bucket when it is deleted or replaced. */
  readonly retain?: boolean;
  /** An ignored property of the version. */
  readonly deploy?: boolean;
  /** The version's message, which is ignored too. */
  readonly label?: string;
  /** A zone for a route and a custom domain, and with them a cron trigger. */
  readonly zone?: string;
  readonly mistake?: "for people" | "of the program";
  /** The file into which the program's process writes its id. */
  readonly pidFile?: string;
}
