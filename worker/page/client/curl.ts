/** The page's calls as commands for a POSIX shell. */

export interface Command {
  method?: "POST" | "DELETE";
  json?: unknown;
  /** What stands after `Bearer`: a variable of the shell, never a token itself. */
  bearer?: "$ADMIN_TOKEN" | "$TOKEN";
}

/** The command for one call of this Worker. What a visitor typed is data to the shell, never part of the command. */
export function curl(path: string, { method, json, bearer }: Command = {}): string {
  const parts = [
    ...(method && !(method === "POST" && json !== undefined) ? [`-X ${method}`] : []),
    ...(bearer ? [`-H "Authorization: Bearer ${bearer}"`] : []),
    ...(json === undefined ? [] : ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(json))}`]),
  ];
  return ["curl", ...parts.map((part) => `${part} \\\n `), quoted(new URL(path, location.origin).href)].join(" ");
}

/** One word of a shell: nothing in it is expanded. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
