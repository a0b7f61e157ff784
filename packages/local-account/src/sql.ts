/** Splits SQL text into statements, as D1 does. Pure. */

/** A text, a quoted name, a comment, a `;`, a word, or any other character. */
const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[a-z_]\w*|\S/giy;

/**
 * The statements of a text, without the `;` between them. A trigger contains statements and ends with `; END;`, as in
 * SQLite's `sqlite3_complete`.
 */
export function statementsOf(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let words: string[] = [];
  for (const { token, end } of tokensOf(sql)) {
    if (token !== ";") {
      if (!/^(--|\/\*)/.test(token)) words.push(token.toUpperCase());
      continue;
    }
    if (isTrigger(words) && !(words.at(-1) === "END" && words.at(-2) === ";")) {
      words.push(";");
      continue;
    }
    if (words.length > 0) statements.push(sql.slice(start, end - 1).trim());
    start = end;
    words = [];
  }
  if (words.length > 0) statements.push(sql.slice(start).trim());
  return statements;
}

const isTrigger = (words: readonly string[]): boolean =>
  /^(EXPLAIN )?CREATE (TEMP |TEMPORARY )?TRIGGER\b/.test(words.slice(0, 4).join(" "));

function* tokensOf(sql: string): Generator<{ readonly token: string; readonly end: number }> {
  const pattern = new RegExp(TOKEN);
  for (let at = 0; at < sql.length; ) {
    pattern.lastIndex = at;
    const token = pattern.exec(sql)?.[0];
    if (token === undefined) at += 1;
    else {
      at += token.length;
      yield { token, end: at };
    }
  }
}
