/** The ledger's panel: transfers, refusals, and the audit. */
import { type Answer, call, waitOf } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { find, grouped, onReturn, onSubmit } from "../../page/client/dom.ts";
import { onName } from "../../page/client/names.ts";
import { Panel } from "../../page/client/panel.ts";
import { listOf, numberOf, textOf } from "../../page/client/read.ts";
import { sentence } from "../../page/client/sentence.ts";
import { admin, allowed } from "../../page/client/visitor.ts";
import { type Entry, entryOf, LedgerView, stateOf } from "./view.ts";

/** Sent from one window of this browser to the others after a transfer, so that they need not ask. */
interface Moved {
  ledger: string;
  entry: Entry;
}

/** How often to ask what became of a transfer to another ledger, and how far apart (ms). */
const FOLLOWED = 20;
const FOLLOW_MS = 250;
/** At least, after what passes by itself: no answer, too many calls, a fault. */
const AGAIN_MS = 3_000;

export function start(): void {
  const panel = new Panel("ledger");
  const view = new LedgerView(panel.find("balances"), panel.find("entries"));
  const head = panel.find("head");
  const note = panel.find("note");
  const transfer = panel.form("transfer");
  const deposit = panel.form("deposit");
  const field = (form: HTMLFormElement, name: string) => find(form, `[data-${name}]`, HTMLInputElement);
  const windows = allowed(() => new BroadcastChannel("ledger"));
  let ledger = "";
  let again: ReturnType<typeof setTimeout> | undefined;
  /** Why the ledger could not be read the last time; "" if it could. */
  let failure = "";
  const at = (path: string) => `/account/${ledger}/${path}`;

  /** Reads the ledger: the transactions first, so that the balances are at least as new. */
  const load = async () => {
    clearTimeout(again);
    const asked = ledger;
    const transactions = await call(at(`transactions?limit=${view.maxEntries}`));
    const balances = transactions.ok ? await call(at(`balances?limit=${view.maxAccounts}`)) : transactions;
    if (asked !== ledger) return;
    const refused = balances.ok ? undefined : balances;
    panel.link(refused ? "Not loaded" : "Up to date", !refused);
    if (refused) {
      const { status, message } = refused;
      if (status === 0 || status === 429 || status >= 500)
        again = setTimeout(load, Math.max(AGAIN_MS, waitOf(refused)));
      // Once: a screen reader reads all that is said here.
      if (message !== failure) panel.alert(message);
      failure = message;
      return;
    }
    if (note.textContent === failure) panel.note("");
    failure = "";
    const accounts = listOf(balances.body, "balances").map(
      (account) => [textOf(account, "account") ?? "", numberOf(account, "balance") ?? 0] as const,
    );
    view.show(accounts, listOf(transactions.body, "transactions").map(entryOf));
  };

  const moved = (answer: Answer, said: string) => {
    if (!answer.ok) {
      // Behind a fault, or no answer, it may have moved; so it may where the call made again is one too many (429).
      const isRefusal = answer.status > 0 && answer.status < 429;
      return panel.alert(sentence(answer.message) + (isRefusal ? " Nothing moved." : ""));
    }
    const entry = entryOf(answer.body);
    view.add(entry);
    const news: Moved = { ledger, entry };
    windows?.postMessage(news);
    panel.link("Up to date", true);
    panel.note(said);
  };

  /** Follows a transfer to another ledger until it has arrived or come back. */
  const follow = async (id: string) => {
    const asked = ledger;
    for (let times = 0; times < FOLLOWED; times++) {
      const answer = await call(at(`transfers/${id}`));
      if (asked !== ledger || !answer.ok) return;
      view.state(Number(id), stateOf(answer.body));
      const state = textOf(answer.body, "state");
      if (state === "completed") {
        const ms = (numberOf(answer.body, "settledAt") ?? 0) - (numberOf(answer.body, "timestamp") ?? 0);
        return panel.note(`It arrived in ${textOf(answer.body, "to")} after ${grouped(ms)} ms, exactly once.`);
      }
      // What came back is a transaction of its own.
      if (state === "refused") return load();
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    }
  };

  const move = async (amount: number) => {
    const [from, to] = [field(transfer, "from").value, field(transfer, "to").value];
    const answer = await call(at("transfer"), { json: { from, to, amount }, once: true });
    moved(answer, `Moved ${grouped(amount)} from ${from} to ${to}.`);
    if (answer.ok && textOf(answer.body, "kind") === "send") void follow(textOf(answer.body, "id") ?? "");
  };

  onSubmit(transfer, () => move(field(transfer, "amount").valueAsNumber));
  panel.button("overdraw").addEventListener("click", () => {
    void move((view.balanceOf(field(transfer, "from").value) ?? 0) + 1);
  });
  panel.button("audit").addEventListener("click", async () => {
    const answer = await call(at("audit"));
    if (!answer.ok) return panel.alert(answer.message);
    const [fault] = listOf(answer.body, "faults");
    if (fault) return panel.alert(`The audit found: ${fault}`);
    const [transactions, accounts] = [numberOf(answer.body, "transactions"), numberOf(answer.body, "accounts")];
    const archived = numberOf(answer.body, "archived") ?? 0;
    head.textContent = archived
      ? `${grouped(archived)} archived, head ${textOf(answer.body, "head")?.slice(0, 16)}…`
      : "";
    head.hidden = archived === 0;
    panel.note(`Audit: ${transactions} transactions over ${accounts} accounts add up.`);
  });
  onSubmit(deposit, async () => {
    const [account, amount] = [field(deposit, "account").value, field(deposit, "amount").valueAsNumber];
    const token = field(deposit, "token").value;
    const answer = await call(at("deposit"), { json: { account, amount }, token, once: true });
    moved(answer, `Deposited ${grouped(amount)} for ${account}.`);
  });

  const commands = () => {
    const [from, to] = [field(transfer, "from").value, field(transfer, "to").value];
    panel.commands(
      curl(at("deposit"), { json: { account: from, amount: 100 }, bearer: "$ADMIN_TOKEN" }),
      curl(at("transfer"), { json: { from, to, amount: field(transfer, "amount").valueAsNumber || 1 } }),
      curl(at("transfer"), { json: { from, to: to.includes("/") ? to : `other/${to}`, amount: 1 } }),
      curl(at("audit")),
    );
  };
  transfer.addEventListener("input", commands);

  windows?.addEventListener("message", ({ data }: MessageEvent<Moved>) => {
    if (data.ledger === ledger) view.add(data.entry);
  });
  onReturn(load);
  onName("ledger", (chosen) => {
    ledger = chosen;
    view.clear();
    head.hidden = true;
    failure = "";
    panel.note("");
    panel.link("Loading", false);
    commands();
    void load();
  });
  // Other panels may need the token too.
  field(deposit, "token").value = admin.token;
  deposit.addEventListener("input", () => {
    admin.token = field(deposit, "token").value;
  });
}
