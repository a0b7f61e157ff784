/** Prints for `npm test` only failures and the summary. A terminal also shows which tests are running. */
import { DefaultReporter, type TestModule } from "vitest/node";

export default class Quiet extends DefaultReporter {
  protected override printTestModule(module: TestModule): void {
    if (module.state() === "failed") super.printTestModule(module);
  }
}
