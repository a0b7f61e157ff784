/**
 * Starts an account, and makes a deployment by its name. Kills itself with SIGKILL at one of the matching moments at
 * which the account writes. Prints `runtime` with the process id of its workerd, `ready` before the deployment, and
 * `done` after it.
 */
import { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { startAccount } from "../../src/index.ts";
import { TestAccount } from "../support.ts";
import { DEPLOYMENTS } from "./crash-programs.ts";

const [, , dir = "", killAt = "0", deployment = "classes", moments = ""] = process.argv;
let moment = 0;
let counting = false;

subscribe("child_process", (message) => {
  if (typeof message !== "object" || message === null || !("process" in message)) return;
  const child = message.process;
  if (!(child instanceof ChildProcess)) return;
  child.once("spawn", () => {
    // Written at once, because a buffer is lost when the process kills itself.
    if (child.spawnfile.includes("workerd")) writeSync(1, `runtime ${child.pid}\n`);
  });
});

const running = await startAccount({
  dir,
  port: 0,
  apiPort: 0,
  onWrite: (at) => {
    if (!counting || !at.includes(moments)) return;
    moment += 1;
    if (moment === Number(killAt)) process.kill(process.pid, "SIGKILL");
  },
});
counting = true;
await DEPLOYMENTS[deployment]?.(new TestAccount(running));
console.log(`done ${moment}`);
await running.close();
