/** What esbuild finds wrong in the project's files, for the person. */
import { isBuiltin } from "node:module";
import type { Message } from "esbuild";
import { BuildError } from "./build-error.ts";

/** @param what that does not build, as a sentence begins with it. @throws BuildError with every error that esbuild finds. */
export async function building<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isFailure(error)) throw error;
    const files = error.errors.flatMap(({ location }) => location?.file ?? []);
    throw new BuildError(`${what} does not build:\n${told(error.errors)}`, { files });
  }
}

const isFailure = (error: unknown): error is Error & { readonly errors: readonly Message[] } =>
  error instanceof Error && "errors" in error && Array.isArray(error.errors);

/** `file:line: message`, a line an error, with the fix where it is known. */
function told(errors: readonly Message[]): string {
  const lines = errors.map(({ location, text }) => {
    // A module that is no file is made here, of the files that its text names.
    const place = location && location.file !== "<stdin>" ? `${location.file}:${location.line}: ` : "";
    const module = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
    const fix =
      module !== undefined && isBuiltin(module)
        ? ' It is a module of Node: add "nodejs_compat" to compatibility_flags in wrangler.jsonc.'
        : "";
    return `  ${place}${text.replace(/\.?$/, ".")}${fix}`;
  });
  return lines.join("\n");
}
