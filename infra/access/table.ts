/** The table of who may do what, route by route, as docs/access.md has it. Pure. */
import { type Action, KINDS } from "../../worker/who.ts";
import type { Route } from "./routes.ts";

const BEGIN = "<!-- begin: npm run access writes these lines -->";
const END = "<!-- end -->";

/** What each caller may by a rule, in words. */
const CELLS: Readonly<
  Record<
    Extract<Action["may"], string>,
    readonly [admin: string, service: string, user: string, guest: string, anonymous: string]
  >
> = {
  anyone: ["yes", "yes", "yes", "yes", "yes"],
  users: ["yes", "granted", "yes", "no", "no"],
  owner: ["yes", "granted", "own", "no", "no"],
  object: ["yes", "room, granted", "room", "room", "room"],
  keeper: ["yes", "granted", "own", "no", "no"],
  holder: ["no", "no", "own", "own", "no"],
  guests: ["yes", "granted", "guests", "guests", "guests"],
  admin: ["yes", "granted", "no", "no", "no"],
};

function cellsOf({ may: rule }: Action): readonly string[] {
  if (typeof rule === "function") return KINDS.map((kind) => (kind === "admin" ? "yes" : "own rule"));
  return CELLS[rule];
}

/** The table, in Markdown. */
export function tableOf(routes: readonly Route[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const head = ["Route", "Action", ...KINDS, "open stack"];
  const rows = routes.map(({ method, path, action }) =>
    action
      ? [
          `\`${method} ${path}\``,
          `\`${action.name}\``,
          ...cellsOf(action.rule),
          action.rule.open ? "anybody" : "the same",
        ]
      : [`\`${method} ${path}\``, "none", ...KINDS.map(() => "no"), "the same"],
  );
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

/** The page with this table in its place. @throws Error where the page has no place for it. */
export function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/access.md has no lines "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin + BEGIN.length)}\n${table}\n${page.slice(end)}`;
}
