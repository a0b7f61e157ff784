/** Cron expressions as Cloudflare takes them: five fields, weekdays from 1 (Sunday) to 7 or by name. Pure. */

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Three letters each, for the numbers from `min` on. */
  readonly names?: readonly string[];
  /** What else the field takes: the last day, the nearest weekday, the nth weekday of a month. */
  readonly special?: RegExp;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of the month", min: 1, max: 31, special: /^(?:L|LW|(?:[1-9]|[12]\d|3[01])W)$/ },
  { name: "month", min: 1, max: 12, names: MONTHS },
  {
    name: "weekday",
    min: 1,
    max: 7,
    names: DAYS,
    special: /^(?:L|(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:L|#[1-5]))$/,
  },
];

/** What is wrong with an expression; undefined if Cloudflare takes it. */
export function cronFault(expression: string): string | undefined {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) return `it has ${fields.length} fields and must have ${FIELDS.length}`;
  for (const [index, field] of FIELDS.entries()) {
    for (const part of (fields[index] ?? "").toUpperCase().split(",")) {
      const fault = faultOf(part, field);
      if (fault) return `${field.name}: ${fault}`;
    }
  }
  return undefined;
}

/** What is wrong with a part of a field: `*`, `5`, `1-5`, `*` or a range by steps (`/2`), or something special. */
function faultOf(part: string, field: Field): string | undefined {
  if (field.special?.test(part)) return undefined;
  const [range = "", step, ...more] = part.split("/");
  if (more.length > 0 || (step !== undefined && !(Number(step) >= 1 && /^\d+$/.test(step)))) {
    return `'${part}' must have one step of at least 1`;
  }
  if (range === "*") return undefined;
  const [first = "", last, ...others] = range.split("-");
  if (others.length > 0) return `'${part}' is no range`;
  const ends = [first, ...(last === undefined ? [] : [last])].map((end) => numberOf(end, field));
  const names = field.names ? `, or ${field.names[0]} to ${field.names.at(-1)}` : "";
  if (ends.some((end) => end === undefined)) return `'${part}' must be ${field.min} to ${field.max}${names}`;
  const [from = 0, to = from] = ends;
  return to < from ? `'${part}' ends before it begins` : undefined;
}

function numberOf(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text);
  const number = named >= 0 ? named + min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return number >= min && number <= max ? number : undefined;
}
