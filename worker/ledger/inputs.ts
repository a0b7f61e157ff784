/** What a ledger takes over HTTP. */
import * as v from "valibot";
import { Id } from "../http/user-id.ts";
import { wholeNumber } from "../http/validation.ts";
import { MAX_AMOUNT } from "./rules.ts";
import { TIME, timeIn } from "./time.ts";

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;
const MAX_MEMO = 500;
const MAX_HOLD_SECONDS = 31 * 24 * 60 * 60;
/** A caller's name for a transaction: an order number, or the id of a payment elsewhere. */
export const Reference = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters"),
);

/** An account has the id of its user as its name. */
export const Name = Id;
const whole = (least: number, most: number, over = `must be at most ${most}`, what = "must be an integer") =>
  v.pipe(
    v.number("must be a number"),
    v.integer(what),
    v.minValue(least, `must be at least ${least}`),
    v.maxValue(most, over),
  );
const amountFrom = (least: number) =>
  whole(least, MAX_AMOUNT, "must be under 2^53", "must be an integer, in minor units");
const Amount = amountFrom(1);
/** The name of an account that is paid. It has no slash, which separates it from a ledger. */
const PayeeName = v.pipe(
  Name,
  v.check((name) => !name.includes("/"), "must have no / in it"),
);
/** Who is paid: an account, or `<ledger>/<account>`. */
const Payee = v.pipe(
  v.string(),
  v.normalize("NFC"),
  v.check(
    (to) => v.is(PayeeName, accountOf(to)) && !to.startsWith("/"),
    ({ input }) => `must be an account, or <ledger>/<account> for one of another ledger: ${whyNot(String(input))}`,
  ),
);

/** Why a payee is none. */
function whyNot(to: string): string {
  const { issues } = v.safeParse(PayeeName, accountOf(to));
  return issues ? `the account ${issues[0].message}` : "the ledger is missing";
}

const notes = {
  memo: v.optional(
    v.pipe(
      v.string(),
      v.check((memo) => /^[^\p{Cc}\p{Cs}]+$/u.test(memo), "must have a character, and no control characters"),
      v.maxLength(MAX_MEMO, `must have at most ${MAX_MEMO} characters`),
    ),
  ),
  /** The caller's own name for it. No other transaction of the ledger may have it. */
  reference: v.optional(Reference),
};
export const Transfer = v.pipe(
  v.strictObject({
    from: Name,
    to: Payee,
    amount: Amount,
    ...notes,
    /** Puts the money aside for so long, until it is posted or voided. */
    holdSeconds: v.optional(whole(1, MAX_HOLD_SECONDS, `must be at most ${MAX_HOLD_SECONDS}, which are 31 days`)),
  }),
  v.forward(
    v.partialCheck([["from"], ["to"]], ({ from, to }) => from !== to, "must be another account than from"),
    ["to"],
  ),
);
const Outside = v.pipe(Name, v.maxLength(64, "must have at most 64 characters"));
/** `outside`: the name of the place that the money comes from or goes to, such as a bank. */
export const Deposit = v.strictObject({ account: PayeeName, amount: Amount, outside: v.optional(Outside), ...notes });
export const Withdrawal = v.strictObject({ account: Name, amount: Amount, outside: v.optional(Outside), ...notes });
export const Reversal = v.strictObject(notes);
export const AccountChange = v.strictObject({
  frozen: v.optional(v.boolean()),
  overdraft: v.optional(amountFrom(0)),
});
export const Currency = v.strictObject({
  currency: v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9]{2,9}$/, "must be a code such as EUR")),
  /** Digits of its minor units: 2 for EUR, whose amounts are in cents. */
  minorUnits: whole(0, 18),
});
export const Ledger = v.object({ ledger: v.string() });
/** A transaction's number, as answers have it: text, which clients send back as it is. */
const Sequence = (fault: string) => v.pipe(v.string(), v.regex(/^[1-9]\d{0,15}$/, fault), v.transform(Number));
export const TransferId = v.object({ ...Ledger.entries, id: Sequence("must be the id of a transaction") });
/** A time: ms since the epoch, or ISO 8601 with its zone. */
export const Time = v.pipe(
  v.string(),
  v.regex(TIME, "must be ms since the epoch, or a time such as 2026-11-27T08:00:00Z (write + as %2B)"),
  v.transform(timeIn),
  v.number("must be a time that exists"),
);
/** What a list says of a cursor that is not its own. */
export const NO_SUCH_CURSOR = "must be the cursor of the page before, of the same list; begin without it";
/** A transaction's number, as a cursor. */
export const TransactionCursor = Sequence(NO_SUCH_CURSOR);
export const PageSize = v.optional(wholeNumber(1, MAX_PAGE), String(DEFAULT_PAGE));

/** The account of a payee, without its ledger. */
export function accountOf(to: string): string {
  return to.slice(to.indexOf("/") + 1);
}
