/** What is wrong with JSON that a person writes, in words, with its place. Pure. */
import { type ParseError, printParseErrorCode } from "jsonc-parser";

const WORDS: Readonly<Record<ReturnType<typeof printParseErrorCode>, string>> = {
  InvalidSymbol: "this is no word of JSON: keys and texts stand in double quotes",
  InvalidNumberFormat: "this is not how a number is written",
  PropertyNameExpected: "here a key must stand, in double quotes",
  ValueExpected: "here a value must stand",
  ColonExpected: "a colon is missing before this",
  CommaExpected: "a comma, or the end of this list or object, is missing before this",
  CloseBraceExpected: "a } is missing before this",
  CloseBracketExpected: "a ] is missing before this",
  EndOfFileExpected: "this stands behind the end of the object",
  InvalidCommentToken: "this is no comment: those begin with // or /*",
  UnexpectedEndOfComment: "this comment has no end: */ is missing",
  UnexpectedEndOfString: "this text has no end in its line: a double quote is missing",
  UnexpectedEndOfNumber: "this number has no end",
  InvalidUnicode: "a \\u must have four hex digits behind it",
  InvalidEscapeCharacter: "a backslash in a text must be written twice",
  InvalidCharacter: "this text has a character that must be written with a backslash, as a tab is (\\t)",
  "<unknown ParseErrorCode>": "this is not JSON",
};

/** `file:line:column: what is wrong`, for each line that is wrong: what follows on it is mostly a consequence. */
export function jsonMistakes(file: string, text: string, errors: readonly ParseError[]): readonly string[] {
  const first = new Map<number, string>();
  for (const { error, offset } of errors) {
    const lines = text.slice(0, offset).split("\n");
    const place = `${file}:${lines.length}:${(lines.at(-1) ?? "").length + 1}`;
    if (!first.has(lines.length)) first.set(lines.length, `${place}: ${WORDS[printParseErrorCode(error)]}.`);
  }
  return [...first.values()];
}
