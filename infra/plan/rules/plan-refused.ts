/** How the program says no: every reason at once, before anything is sent. */
import { describe } from "@durable-stack/class-lifecycle";
import { UserError } from "../../common/user-error.ts";
import type { Finding } from "./codes.ts";

/** Everything that stops a deployment, in one error. */
export class PlanRefused extends UserError {
  constructor(findings: readonly Finding[]) {
    super(
      `Nothing was sent. The plan has ${findings.length} error${findings.length === 1 ? "" : "s"}:\n${findings.map((finding) => `  ${describe(finding)}`).join("\n")}`,
    );
  }
}
