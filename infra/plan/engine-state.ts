/** The state of the stack that the program runs for, asked of the engine that runs it. */
import * as pulumi from "@pulumi/pulumi";
import { Known, READ_STATE } from "./known.ts";

/** What the stack's state has; undefined where the engine cannot say: then nothing may be imported. */
export async function engineState(): Promise<Known | undefined> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  try {
    return Known.from(await pulumi.runtime.invoke(READ_STATE, { stackName }));
  } catch (error) {
    await pulumi.log.debug(`the stack's state cannot be read: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
