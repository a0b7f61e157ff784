/**
 * `npm run smoke -- --url <url>`: the smoke test from a terminal. Exits with 1 where anything is wrong, with 4 where nothing
 * answers.
 */
import { Command, InvalidArgumentError } from "commander";
import { mustStaySecret } from "../smoke/in-the-clear.ts";
import type { Check } from "../smoke/probe.ts";
import { isLost } from "../smoke/reason.ts";
import { smoke } from "../smoke/smoke.ts";
import {
  checkLine,
  isTokenRefused,
  reasonsLost,
  tokenAdvice,
  untriedIn,
  type Verdict,
  verdictOf,
} from "../smoke/verdict.ts";
import { localAdminToken } from "../stack/local-token.ts";
import { runCommand } from "./command.ts";
import { wholeNumber, workerUrl } from "./options.ts";
import { EXIT } from "./rollout-end.ts";

interface Options {
  url: URL;
  adminToken?: string;
  digest?: string;
  wait?: number;
  json?: boolean;
}

/** After how long without a check the command says what it may be waiting for. */
const QUIET_MS = 5_000;
const WAITS =
  "… still at it. Where the rate limiter refuses a call, it is made again when that says, which may take a minute.";

const EXIT_OF: Readonly<Record<Verdict, number>> = { well: 0, wrong: 1, "not answered": EXIT["not known"] };

const command = new Command("npm run smoke --")
  .description(
    "Checks a deployed Worker over HTTP and WebSocket: its release, its page, all patterns. Exit code 1: something is wrong; 4: nothing is known, because nothing answers or Cloudflare's edge does in the Worker's place.",
  )
  .requiredOption("--url <url>", "where it answers, such as https://durable-stack.example.workers.dev", workerUrl)
  .option(
    "--admin-token <token>",
    "tries what only the admin may do, too (default: the local account's, or else $ADMIN_TOKEN)",
  )
  .option("--digest <sha256>", "the release that has to be served", sha256Option)
  .option(
    "--wait <seconds>",
    "how long that release may take to be served (default: 30), and a new admin token to be taken (default: 0)",
    wholeNumber(0, 600),
  )
  .option("--json", "prints the checks as JSON")
  .action(run);
await runCommand(command);

async function run({ url, adminToken, digest, wait, json }: Options): Promise<void> {
  // A local account of this checkout has a token of its own, whatever is exported for another stack.
  const nearer = adminToken || tokenHere(url);
  const exported = process.env.ADMIN_TOKEN || undefined;
  if (!nearer) mustStaySecret(url, exported, "unset ADMIN_TOKEN");
  const quiet = setInterval(() => console.error(WAITS), QUIET_MS);
  const checks = await smoke(url, {
    adminToken: nearer || exported,
    digest,
    ...(wait !== undefined && { waitSeconds: wait }),
    onCheck: (check) => {
      quiet.refresh();
      if (!json) console.log(`${checkLine(check)} (${check.ms} ms)`);
    },
  }).finally(() => clearInterval(quiet));
  const verdict = verdictOf(checks);
  if (json) console.log(JSON.stringify({ url: url.href, ok: verdict === "well", verdict, checks }, null, 2));
  else console.log(`${url.href}${words(verdict, checks)}`);
  process.exitCode = EXIT_OF[verdict];
}

/** What to know of all checks together. */
function words(verdict: Verdict, checks: readonly Check[]): string {
  if (verdict === "well") {
    const untried = untriedIn(checks).length;
    if (untried === 0) return " is well";
    return ` is well as far as it was tried: ${untried} of ${checks.length} checks only saw that strangers are refused. Give this stack's token as ADMIN_TOKEN or --admin-token.`;
  }
  const lost = checks.filter(({ blind }) => isLost(blind)).length;
  const failed = checks.filter(({ ok }) => !ok).length - lost;
  const of = `of ${checks.length} checks`;
  if (verdict === "not answered") {
    return `: ${lost} ${of} not answered by the Worker, which says nothing of the release. ${reasonsLost(checks).join(" ")} Where it answers at another address, correct --url.`;
  }
  if (isTokenRefused(checks)) {
    return `: ${failed} ${of} failed, because the Worker refused the admin token. ${tokenAdvice("ADMIN_TOKEN or --admin-token")}`;
  }
  if (lost === 0) return `: ${failed} ${of} failed`;
  return failed === 0
    ? `: ${lost} ${of} not answered, and the Worker answers the others`
    : `: ${failed} ${of} failed, ${lost} not answered`;
}

/** Where a local account is asked, its token, as whoever started it has it. */
function tokenHere(url: URL): string | undefined {
  const local = localAdminToken(url);
  if (local) console.error(`… with the admin token of the account in ${local.folder}`);
  return local?.token;
}

function sha256Option(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a sha256 in hex, as in dist/release/manifest.json.");
}
