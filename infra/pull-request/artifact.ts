/** Opens an artifact that a pull request's code may have filled: one small file of a name that is known, or nothing. */
import { unzipSync } from "fflate";
import * as v from "valibot";
import { issueLines } from "../common/issues.ts";
import { UserError } from "../common/user-error.ts";

/** Bytes of an artifact, and of the file in it. */
export const ARTIFACT_LIMIT = 1_000_000;

/** An archive as it was downloaded. */
interface Artifact {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** The one file in the archive, as JSON of this shape. @throws UserError saying why it is not taken. */
export function readArtifact<Output>(
  { name, contents: archive }: Artifact,
  file: string,
  schema: v.GenericSchema<unknown, Output>,
): Output {
  const refuse = (why: string) => new UserError(`The artifact ${name} is not taken: ${why}.`);
  if (archive.byteLength > ARTIFACT_LIMIT) throw refuse(`it has more than ${ARTIFACT_LIMIT} bytes`);
  const seen: string[] = [];
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(archive, {
      // What is not the file, or says that it is large, is not even unpacked.
      filter: (entry) => {
        seen.push(entry.name);
        return entry.name === file && seen.length === 1 && entry.originalSize <= ARTIFACT_LIMIT;
      },
    });
  } catch {
    throw refuse("it is no whole ZIP archive");
  }
  if (seen.length !== 1 || seen[0] !== file) throw refuse(`it must hold ${file} and nothing else`);
  const contents = files[file];
  if (contents === undefined) throw refuse(`${file} has more than ${ARTIFACT_LIMIT} bytes`);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), new TextDecoder().decode(contents));
  if (parsed.success) return parsed.output;
  throw refuse(
    `${file} is not what a preview writes: ${issueLines(parsed.issues).slice(0, 3).join("; ").slice(0, 500)}`,
  );
}
