/** The page's calls as commands for a POSIX shell. */

export interface Command {
  method?: "POST" | "DELETE";
  json?: unknown;
  /** The text after `Bearer`: a shell variable, never a token itself. */
  bearer?: "$ADMIN_TOKEN" | "$TOKEN";
}

/** The command for one call to this Worker. The visitor's input is quoted, so the shell never runs it. */
export function curl(path: string, { method, json, bearer }: Command = {}): string {
  const parts = [
    ...(method && !(method === "POST" && json !== undefined) ? [`-X ${method}`] : []),
    ...(bearer ? [`-H "Authorization: Bearer ${bearer}"`] : []),
    ...(json === undefined ? [] : ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(json))}`]),
  ];
  return ["curl", ...parts.map((part) => `${part} \\\n `), quoted(new URL(path, location.origin).href)].join(" ");
}

/** Quotes a text as one word of a shell, which expands nothing in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
