/** Why a release was not built, where the cause is in the project's own files: printed without a stack trace. */
import { UserError } from "../stack/user-error.ts";
export class BuildError extends UserError {
  override readonly name = "BuildError";
}
