/**
 * Errors that are for the person who ran a command: what is wrong, where, and what to do, in the message alone.
 *
 * Every other error is a bug of this project. A command prints its stack, so that nobody takes it for a mistake of
 * theirs.
 */

/**
 * The mark by which Pulumi knows its own RunError: the program ends with it, and the engine prints its message without
 * a stack. Our errors carry it themselves, because loading Pulumi takes longer than most commands.
 */
const MARK = "__pulumiRunError";

/** What a person can mend. The message is all that is printed, by our commands and by the engine. */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly [MARK] = true;
  /** What to do, where the message only says what was wrong: a command prints it as well. */
  readonly fix?: string | undefined;
}

/** Whether an error is for the person alone: ours, or a RunError of Pulumi. */
export const isUserError = (error: unknown): error is Error => error instanceof Error && MARK in error;

/** All that an error says to a person: what was wrong, and what to do. */
export const inFull = (error: Error): string =>
  error instanceof UserError && error.fix !== undefined ? `${error.message}\nFix: ${error.fix}` : error.message;

/** The first line of what an error says, without its full stop: for a sentence that quotes it. */
export const firstLine = (message: string): string => (message.split("\n")[0] ?? "").replace(/\.$/, "");
