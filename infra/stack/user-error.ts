/**
 * Errors that are for the person who ran a command: what is wrong, where, and what to do, in the message alone.
 *
 * Every other error is a bug of this project. A command prints its stack, so that nobody takes it for a mistake of
 * theirs.
 */

/** What a person can mend. The message is all that is printed. */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/**
 * Whether an error is for the person alone. Pulumi's RunError is too: the program ends with it, and the engine prints
 * its message without a stack. It is told by its mark, because loading Pulumi takes longer than most commands.
 */
export const isUserError = (error: unknown): error is Error =>
  error instanceof UserError || (error instanceof Error && "__pulumiRunError" in error);
