/** Why a release was not built, where the cause is in the project's own files: printed without a stack trace. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}
