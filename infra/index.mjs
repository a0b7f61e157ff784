/**
 * Where Pulumi enters the program: of the files in `main` (Pulumi.yaml) it takes this one before index.ts, which is the
 * program. It is JavaScript, so that a Node that cannot run TypeScript says so in a sentence.
 */
import { writeSync } from "node:fs";

/** To Pulumi: the user has been told, and nothing is to be added. */
const TOLD = 32;

if (!process.features.typescript) {
  // Not by an error that Pulumi logs: on Node 20 it takes half a minute over that, or never comes to an end.
  writeSync(
    2,
    `The program needs Node 24 or later, and the \`node\` on your PATH is ${process.version}: put another one first, or use the project's own: npm run preview -- --stack S, npm run up -- --stack S.\n`,
  );
  process.exit(TOLD);
}

export default async () => {
  try {
    return { ...(await import("./index.ts")) };
  } catch (error) {
    const { loadFault } = await import("./common/load-fault.ts");
    const fault = loadFault(error, import.meta.resolve("./index.ts"));
    // What the program itself tells, Pulumi prints.
    if (!fault || fault === error) throw error;
    writeSync(2, `${fault.message}\n`);
    process.exit(TOLD);
  }
};
