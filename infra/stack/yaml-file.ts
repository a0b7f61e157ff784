/** YAML that a person writes: the file, the line and what is wrong, in one. */
import { LineCounter, parseDocument } from "yaml";
import { UserError } from "./user-error.ts";

/** @throws UserError with the line of the file's first mistake. It repeats no line of it, which may have a secret. */
export function readYaml(file: string, text: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter });
  const [error] = document.errors;
  if (error) throw notYaml(`${file}:${lineCounter.linePos(error.pos[0]).line}`, error);
  try {
    return document.toJS();
  } catch (cause) {
    // Its aliases are followed only here.
    throw notYaml(file, cause);
  }
}

const notYaml = (where: string, cause: unknown) => {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new UserError(`${where} is not YAML: ${said.split("\n")[0]}. Correct it there.`, { cause });
};
