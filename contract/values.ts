/** Schemas of single settings. Their messages say what the value must be, for the person who wrote it. */
import * as v from "valibot";

/** A lower-case name of at most `max` characters. */
export const slug = (max: number) =>
  v.pipe(
    v.string("must be text"),
    v.regex(
      new RegExp(`^[a-z][a-z0-9-]{0,${max - 1}}$`),
      `must be lower-case letters, digits and hyphens, at most ${max}`,
    ),
  );

/** A whole number from `min` to `max`. */
export const whole = (min: number, max: number) => {
  const rule = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(min, rule), v.maxValue(max, rule));
};

export const oneOf = <const Options extends readonly string[]>(options: Options) =>
  v.picklist(options, `must be one of ${options.join(", ")}`);

export const yesOrNo = v.boolean("must be true or false");

/** The origin of a page: `https://app.example.com`. */
export const origin = v.pipe(
  v.string("must be text"),
  v.check(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    "must be an origin like https://app.example.com",
  ),
);
