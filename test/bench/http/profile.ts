/** A CPU profile of a Worker, from workerd's inspector. Chrome's developer tools and VS Code open it. */
import * as v from "valibot";

const Targets = v.array(v.object({ id: v.string(), webSocketDebuggerUrl: v.string() }));
const Message = v.object({
  id: v.optional(v.number()),
  result: v.optional(v.object({ profile: v.optional(v.unknown()) })),
  error: v.optional(v.object({ message: v.string() })),
});

/** Microseconds between two samples. */
const INTERVAL_US = 100;

/** Profiles the Worker `name` while `work` runs. Returns the content of a `.cpuprofile` file. */
export async function profiled(inspector: string, name: string, work: () => Promise<unknown>): Promise<string> {
  const targets = v.parse(Targets, await (await fetch(new URL("json", inspector))).json());
  const target = targets.find(({ id }) => id === name);
  if (!target) throw new Error(`workerd's inspector has no Worker ${name}; it has ${targets.map(({ id }) => id)}`);
  const session = await open(target.webSocketDebuggerUrl);
  try {
    await session.send("Profiler.enable");
    await session.send("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    await session.send("Profiler.start");
    await work();
    return JSON.stringify((await session.send("Profiler.stop"))?.profile);
  } finally {
    session.close();
  }
}

type Result = v.InferOutput<typeof Message>["result"];

/** A connection to the inspector. Its protocol: chromedevtools.github.io/devtools-protocol. */
async function open(url: string) {
  const socket = new WebSocket(url);
  const waiting = new Map<number, PromiseWithResolvers<Result>>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result, error } = v.parse(Message, JSON.parse(String(data)));
    const waiter = waiting.get(id ?? 0);
    if (error) waiter?.reject(new Error(error.message));
    else waiter?.resolve(result);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error(`${url} does not answer`)));
  });
  let last = 0;
  return {
    send(method: string, params: object = {}): Promise<Result> {
      const id = ++last;
      const waiter = Promise.withResolvers<Result>();
      waiting.set(id, waiter);
      socket.send(JSON.stringify({ id, method, params }));
      return waiter.promise;
    },
    close: () => socket.close(),
  };
}
