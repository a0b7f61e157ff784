/** Cron expressions as Cloudflare takes them: five fields, weekdays from 1 (Sunday) to 7 or by name. Pure. */

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Three letters each, for the numbers from `min` on. */
  readonly names?: readonly string[];
  /** What else the field takes, alone: the last day or one before it, the nearest workday, the nth weekday of a month. */
  readonly special?: RegExp;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of the month", min: 1, max: 31, special: /^(?:LW?|L-(?:[1-9]|[12]\d|30)W?|(?:[1-9]|[12]\d|3[01])W)$/ },
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
    const parts = (fields[index] ?? "").toUpperCase().split(",");
    for (const part of parts) {
      if (field.special?.test(part)) {
        if (parts.length > 1) return `${field.name}: '${part}' must be alone`;
        continue;
      }
      const fault = faultOf(part, field);
      if (fault) return `${field.name}: ${fault}`;
    }
  }
  return undefined;
}

/** What is wrong with a part of a field: `*`, `5`, `1-5`, or `*` or a range by steps (`/2`). */
function faultOf(part: string, field: Field): string | undefined {
  const [range = "", step, ...more] = part.split("/");
  const most = field.max - field.min;
  if (more.length > 0 || (step !== undefined && !(/^\d+$/.test(step) && Number(step) >= 1 && Number(step) <= most)))
    return `'${part}' must have one step of 1 to ${most}`;
  if (range === "*") return undefined;
  const [first = "", last, ...others] = range.split("-");
  if (others.length > 0) return `'${part}' is no range`;
  const ends = [first, ...(last === undefined ? [] : [last])].map((end) => numberOf(end, field));
  const names = field.names ? `, or ${field.names[0]} to ${field.names.at(-1)}` : "";
  return ends.includes(undefined) ? `'${part}' must be ${field.min} to ${field.max}${names}` : undefined;
}

/**
 * Whether an expression that has no fault is due in the minute of `at`, in UTC. If both the day of the month and the
 * weekday are other than `*`, one of them is enough.
 */
export function isDue(expression: string, at: Date): boolean {
  const [minute, hour, day, month, weekday] = expression.trim().toUpperCase().split(/\s+/);
  const isOnDay = parts(day).some((part) => isDay(part, at));
  const isOnWeekday = parts(weekday).some((part) => isWeekday(part, at));
  return (
    holds(minute, 0, at.getUTCMinutes()) &&
    holds(hour, 1, at.getUTCHours()) &&
    holds(month, 3, at.getUTCMonth() + 1) &&
    (day === "*" || weekday === "*" ? isOnDay && isOnWeekday : isOnDay || isOnWeekday)
  );
}

const parts = (field = "*") => field.split(",");
const holds = (field: string | undefined, index: number, value: number) =>
  parts(field).some((part) => includes(part, FIELDS[index], value));

/** Whether `*`, a number or a range, perhaps by steps, has the value in it. After the greatest value comes the least: `22-2`. */
function includes(part: string, field: Field | undefined, value: number): boolean {
  if (!field) return false;
  const [range = "", step] = part.split("/");
  const [first = "", last] = range.split("-");
  const from = range === "*" ? field.min : (numberOf(first, field) ?? Number.NaN);
  // `5/15` goes on to the end, and `5` alone is one number.
  const to = last !== undefined ? numberOf(last, field) : range === "*" || step !== undefined ? field.max : from;
  const count = field.max - field.min + 1;
  const distance = (until: number) => (until - from + count) % count;
  return distance(value) <= distance(to ?? from) && distance(value) % Number(step ?? 1) === 0;
}

/** The last day of the month of a date. */
const lastDay = (at: Date) => new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate();

function isDay(part: string, at: Date): boolean {
  const [day, last] = [at.getUTCDate(), lastDay(at)];
  const fromEnd = /^L(?:-(\d+))?W?$/.exec(part);
  if (!fromEnd && !part.endsWith("W")) return includes(part, FIELDS[2], day);
  const named = fromEnd ? last - Number(fromEnd[1] ?? 0) : Number.parseInt(part, 10);
  if (named < 1 || named > last) return false;
  return day === (part.endsWith("W") ? nearestWorkday(named, at) : named);
}

/** The workday nearest to a day of the month, in the same month. */
function nearestWorkday(day: number, at: Date): number {
  const weekday = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), day)).getUTCDay();
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < lastDay(at) ? day + 1 : day - 2;
  return day;
}

function isWeekday(part: string, at: Date): boolean {
  const [field, today] = [FIELDS[4], at.getUTCDay() + 1];
  if (part === "L") return today === 7;
  const nth = /^(.+?)(?:L|#([1-5]))$/.exec(part);
  if (!nth || !field) return includes(part, field, today);
  const day = at.getUTCDate();
  const isThat = nth[2] === undefined ? day + 7 > lastDay(at) : Math.ceil(day / 7) === Number(nth[2]);
  return isThat && numberOf(nth[1] ?? "", field) === today;
}

function numberOf(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text);
  const number = named >= 0 ? named + min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return number >= min && number <= max ? number : undefined;
}
