/** What an account is started with. */

/** Which kinds of namespace the account's plan allows: "free" has SQLite only. */
export type Plan = "free" | "paid";
