/**
 * The tables of a ledger. A transfer writes three rows: one transaction and the two accounts. An index to find the
 * entries of one account would cost two rows more. Instead each transaction has the number of the previous one of both
 * its accounts, and an account has the number of its last.
 */
import { breaking, REPLAYS_TABLE, type SchemaSteps } from "../objects/steps.ts";
import { MAX_AMOUNT } from "./rules.ts";

export const schema: SchemaSteps = [
  // The checks are the last line of defence: the rules should have refused such a payment before.
  `CREATE TABLE accounts (
     name TEXT PRIMARY KEY,
     balance INTEGER NOT NULL CHECK (balance >= 0 OR name = '@outside'),
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
  // Older code pays out of frozen accounts, lets no hold expire, and does not find what is in the archive.
  breaking(
    `ALTER TABLE accounts RENAME TO accounts_1;
     CREATE TABLE accounts (
       name TEXT PRIMARY KEY,
       balance INTEGER NOT NULL,
       last INTEGER NOT NULL,
       overdraft INTEGER NOT NULL DEFAULT 0 CHECK (overdraft BETWEEN 0 AND ${MAX_AMOUNT}),
       frozen INTEGER NOT NULL DEFAULT 0,
       received INTEGER NOT NULL DEFAULT 0,
       CHECK (abs(balance) <= ${MAX_AMOUNT}),
       CHECK (balance >= -overdraft OR name GLOB '@outside*' OR name GLOB '@ledger:*')
     ) STRICT, WITHOUT ROWID;
     INSERT INTO accounts (name, balance, last) SELECT name, balance, last FROM accounts_1;
     DROP TABLE accounts_1;
     ALTER TABLE transactions ADD COLUMN kind TEXT;
     ALTER TABLE transactions ADD COLUMN of INTEGER;
     ALTER TABLE transactions ADD COLUMN due INTEGER;
     ALTER TABLE transactions ADD COLUMN target TEXT;
     ALTER TABLE transactions ADD COLUMN memo TEXT;
     ALTER TABLE transactions ADD COLUMN reference TEXT;
     ALTER TABLE transactions ADD COLUMN settled_at INTEGER;
     ALTER TABLE transactions ADD COLUMN settled_by INTEGER;
     CREATE TABLE holds (
       seq INTEGER PRIMARY KEY, due INTEGER NOT NULL,
       payer TEXT NOT NULL, payee TEXT NOT NULL, amount INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX holds_by_due ON holds (due);
     CREATE TABLE settled (seq INTEGER PRIMARY KEY, by INTEGER NOT NULL) STRICT;
     CREATE TABLE refs (reference TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE refused (
       ledger TEXT NOT NULL, origin INTEGER NOT NULL, fault TEXT NOT NULL, PRIMARY KEY (ledger, origin)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE segments (
       number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL,
       head TEXT NOT NULL, hash TEXT NOT NULL
     ) STRICT;
     CREATE TABLE book (
       id INTEGER PRIMARY KEY CHECK (id = 1), base INTEGER NOT NULL DEFAULT 0,
       currency TEXT, minor_units INTEGER
     ) STRICT`,
  ),
];
