/** Times as callers write them. */

/** The form of a time: ms since the epoch, or ISO 8601 with its zone. */
export const TIME = /^(?:\d{1,14}|(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))$/;

/** The time in ms since the epoch; NaN for a text of another form, and for a day that does not exist. */
export function timeIn(text: string): number {
  const form = TIME.exec(text);
  if (!form) return Number.NaN;
  const [, day] = form;
  if (day === undefined) return Number(text);
  // `Date.parse` takes the 30th of February for a day in March.
  const isDay = new Date(Date.parse(`${day}T00:00:00Z`)).toJSON()?.startsWith(day) ?? false;
  return isDay ? Date.parse(text) : Number.NaN;
}
