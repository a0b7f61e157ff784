/** `npm start` in a copy of the project, as in a terminal. */
import type { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";

export interface Started {
  readonly terminal: Terminal;
  /** Of the Worker. */
  readonly port: string;
}

/** Starts it at free ports, and waits until it is ready. @throws Error with what it printed instead. */
export async function started(project: ProjectCopy): Promise<Started> {
  const terminal = new Terminal(
    project.start("exec node infra/commands/start.ts start --port 0 --api-port 0", { detached: true }),
  );
  const said = await terminal.printed((text) => text.includes("Ctrl-C stops it"));
  const [, port] = /Demo page +http:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
  if (port === undefined) throw new Error(said);
  return { terminal, port };
}
