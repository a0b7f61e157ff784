/** What `npm test` prints: what failed, and the sum. A terminal shows what is running meanwhile. */
import { DefaultReporter, type TestModule } from "vitest/node";

export default class Quiet extends DefaultReporter {
  protected override printTestModule(module: TestModule): void {
    if (module.state() === "failed") super.printTestModule(module);
  }
}
