/** Why a release was not built, where the cause is in the project's own files: printed without a stack trace. */
import { UserError } from "../common/user-error.ts";

export class BuildError extends UserError {
  override readonly name = "BuildError";
  /** The files that do not build, seen from the project, where that is known. */
  readonly files: readonly string[];

  constructor(message: string, { files = [], ...options }: ErrorOptions & { readonly files?: readonly string[] } = {}) {
    super(message, options);
    this.files = files;
  }
}
