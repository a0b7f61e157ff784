/** Shows a ledger: a bar for each account, and the latest transactions. */
import { element, fill, grouped } from "../../page/client/dom.ts";
import { numberOf, recordOf, textOf } from "../../page/client/read.ts";

export interface Entry {
  /** Its number in the ledger. */
  id: number;
  from: string;
  to: string;
  amount: number;
  /** Both accounts' balances after it. */
  balances: [account: string, balance: number][];
  /** Of a transfer to another ledger: what became of it, in a word. */
  state: string;
}

/** The account that deposits come from. */
const OUTSIDE = "@outside";

interface Row {
  item: HTMLElement;
  meter: HTMLElement;
  figure: HTMLElement;
  balance: number;
  /** The number of the transaction after which this was the balance. */
  asOf: number;
}

export class LedgerView {
  readonly maxAccounts = 8;
  readonly maxEntries = 5;
  readonly #balances: HTMLElement;
  readonly #entries: HTMLElement;
  readonly #rows = new Map<string, Row>();

  constructor(balances: HTMLElement, entries: HTMLElement) {
    this.#balances = balances;
    this.#entries = entries;
  }

  clear(): void {
    this.#rows.clear();
    this.#balances.replaceChildren();
    this.#entries.replaceChildren();
  }

  /** Shows the ledger's answer: the balances, and the transactions, newest first. */
  show(balances: (readonly [account: string, balance: number])[], entries: Entry[]): void {
    const newest = entries[0]?.id ?? 0;
    for (const [account, balance] of balances) this.#set(account, balance, newest);
    this.#entries.replaceChildren();
    for (const entry of entries.toReversed()) this.#list(entry);
    this.#draw();
  }

  /** Shows a transaction that was just made, here or in another window. */
  add(entry: Entry): void {
    for (const [account, balance] of entry.balances) this.#set(account, balance, entry.id);
    this.#list(entry);
    this.#draw();
  }

  balanceOf(account: string): number | undefined {
    return this.#rows.get(account)?.balance;
  }

  #set(account: string, balance: number, asOf: number): void {
    const known = this.#rows.get(account);
    if (known && known.asOf > asOf) return;
    const row = known ?? this.#open(account);
    if (!row) return;
    row.balance = balance;
    row.asOf = asOf;
    row.figure.textContent = grouped(balance);
  }

  #open(account: string): Row | undefined {
    if (this.#rows.size >= this.maxAccounts) return undefined;
    const meter = element("div", "meter", element("i", ""));
    const figure = element("b", "");
    const item = element("li", "", element("span", "", account), meter, figure);
    const row = { item, meter, figure, balance: 0, asOf: 0 };
    this.#rows.set(account, row);
    return row;
  }

  /** Shows what became of a transfer to another ledger. */
  state(id: number, state: string): void {
    const shown = this.#item(id)?.querySelector("[data-state]");
    if (shown) shown.textContent = state;
  }

  #item(id: number): Element | undefined {
    return [...this.#entries.children].find((item) => item.getAttribute("data-id") === String(id));
  }

  #list({ id, from, to, amount, state }: Entry): void {
    if (this.#item(id)) {
      this.state(id, state);
      return;
    }
    // Apart from each other: two names that are written from right to left would turn the arrow's meaning around.
    const names = [from.startsWith(OUTSIDE) ? "deposit" : from, to.startsWith(OUTSIDE) ? "withdrawal" : to] as const;
    const [payer, payee] = [element("bdi", "", names[0]), element("bdi", "", names[1])];
    const status = element("small", "", state);
    status.setAttribute("data-state", "");
    const item = element(
      "li",
      "",
      element("span", "", `${id}`),
      element("span", "", payer, " → ", payee, " ", status),
      grouped(amount),
    );
    item.setAttribute("data-id", String(id));
    this.#entries.prepend(item);
    while (this.#entries.childElementCount > this.maxEntries) this.#entries.lastElementChild?.remove();
  }

  #draw(): void {
    const rows = [...this.#rows].sort(([a], [b]) => a.localeCompare(b)).map(([, row]) => row);
    const most = Math.max(...rows.map(({ balance }) => balance), 1);
    for (const { meter, balance } of rows) fill(meter, balance / most);
    const blank = element("li", "blank", "No money here yet. A deposit needs the stack's admin token.");
    const items = rows.length > 0 ? rows.map(({ item }) => item) : [blank];
    // Replaced only if the order has changed: a bar that is inserted again shows no transition.
    if (items.some((item, index) => this.#balances.children[index] !== item)) this.#balances.replaceChildren(...items);
  }
}

/** What the visitor reads of a transfer's state. */
const STATES: Readonly<Record<string, string>> = {
  pending: "on its way",
  completed: "arrived",
  refused: "refused, and back",
};

/** The state of a transfer to another ledger, in a word; "" for other transactions. */
export function stateOf(body: unknown): string {
  const kind = textOf(body, "kind");
  if (kind === "refund") return "came back";
  if (kind === "receive") return "from another ledger";
  return kind === "send" ? (STATES[textOf(body, "state") ?? ""] ?? "sent") : "";
}

/** Reads a transaction from the ledger's answer. */
export function entryOf(body: unknown): Entry {
  return {
    id: Number(textOf(body, "id")),
    from: textOf(body, "from") ?? "",
    to: textOf(body, "to") ?? "",
    amount: numberOf(body, "amount") ?? 0,
    state: stateOf(body),
    balances: Object.entries(recordOf(body, "balances")).map(([account, balance]) => [account, Number(balance)]),
  };
}
