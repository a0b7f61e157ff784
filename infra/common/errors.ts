/** What an error says of itself, whoever has thrown it. */

/** Its message; what was thrown and is no error, as text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What Node or the system calls it, such as `ENOENT`; undefined: it has no such name. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
