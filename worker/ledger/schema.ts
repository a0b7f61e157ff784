/**
 * The tables of a ledger. A transfer writes three rows: one transaction and the two accounts. An index to find the
 * entries of one account would cost two rows more. Instead each transaction has the number of the previous one of both
 * its accounts, and an account has the number of its last.
 */
import { REPLAYS_TABLE, type SchemaSteps } from "../objects/steps.ts";
import { MAX_AMOUNT, OUTSIDE } from "./rules.ts";

export const schema: SchemaSteps = [
  // The checks are the last line of defence: the rules should have refused such a payment before.
  `CREATE TABLE accounts (
     name TEXT PRIMARY KEY,
     balance INTEGER NOT NULL CHECK (balance >= 0 OR name = '${OUTSIDE}'),
     last INTEGER NOT NULL,
     CHECK (abs(balance) <= ${MAX_AMOUNT})
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE transactions (
     seq INTEGER PRIMARY KEY,
     payer TEXT NOT NULL,
     payee TEXT NOT NULL CHECK (payee <> payer),
     amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND ${MAX_AMOUNT}),
     payer_balance INTEGER NOT NULL,
     payee_balance INTEGER NOT NULL,
     payer_previous INTEGER NOT NULL,
     payee_previous INTEGER NOT NULL,
     at INTEGER NOT NULL
   ) STRICT`,
  REPLAYS_TABLE,
];
