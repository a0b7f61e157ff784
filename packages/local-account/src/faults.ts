/**
 * Faults on demand: makes calls of the REST API fail like a bad network or a busy service does, before or after they
 * take effect. Shows what a deployment does then.
 */

/** What stands before the path of every call. */
const BASE = "/client/v4";

/** How a call fails. `cut` closes the connection without an answer; `slow` answers late. */
const KINDS = ["429", "500", "503", "cut", "slow"] as const;

type FaultKind = (typeof KINDS)[number];

export interface Fault {
  /** A method, or `*` for all. */
  readonly method: string;
  /** A path behind `/client/v4`, without query; `*` matches any text. */
  readonly path: string;
  readonly kind: FaultKind;
  /** `before`: the call has no effect. `after`: the call takes effect, and only its answer fails. */
  readonly when: "before" | "after";
  /** The number of the first matching call that fails, from 1. */
  readonly nth: number;
  /** How many in a row fail. */
  readonly times: number;
  /** Seconds: of `Retry-After` with 429 and 503, of delay with `slow`. */
  readonly seconds: number;
}

const METHODS: ReadonlySet<string> = new Set(["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

const SYNTAX = "<method|*> <path, * for any text> <429|500|503|cut|slow> [before|after] [nth=1] [times=1] [seconds=1]";

// A line comment, because the example has the end of a block comment in it.
// Reads a fault, such as "POST */versions 503 after nth=2". @throws Error naming the wrong word and the syntax, also for
// a fault that would hit no call: a test that relies on it would test nothing.
export function parseFault(text: string): Fault {
  const [written, path, kind, ...rest] = text.trim().split(/\s+/);
  const wrong = (what: string) => new Error(`fault '${text}': ${what}. A fault is ${SYNTAX}.`);
  if (written === undefined || path === undefined || kind === undefined) throw wrong("it has fewer than three words");
  const method = written.toUpperCase();
  if (!METHODS.has(method)) throw wrong(`'${written}' is not a method`);
  if (!/^[/*]/.test(path)) throw wrong(`the path '${path}' must begin with '/' or '*'`);
  if (path.startsWith(`${BASE}/`)) throw wrong(`the path must be what stands behind ${BASE}`);
  const known = KINDS.find((candidate) => candidate === kind);
  if (known === undefined) throw wrong(`'${kind}' is not a kind of fault`);
  let fault: Fault = { method, path, kind: known, when: "before", nth: 1, times: 1, seconds: 1 };
  for (const word of rest) {
    const [, name, number = ""] = /^(nth|times|seconds)=(\d+(?:\.\d+)?)$/.exec(word) ?? [];
    if (word === "before" || word === "after") fault = { ...fault, when: word };
    else if ((name === "nth" || name === "times") && !/^0*[1-9]\d*$/.test(number))
      throw wrong(`'${word}' must be a whole number from 1`);
    else if (name !== undefined) fault = { ...fault, [name]: Number(number) };
    else throw wrong(`'${word}' is not an option`);
  }
  return fault;
}

/** The faults in force, and how many calls each has seen. */
export class Faults {
  #armed: { readonly fault: Fault; readonly matches: (method: string, path: string) => boolean; seen: number }[] = [];

  constructor(faults: readonly Fault[] = []) {
    this.set(faults);
  }

  /** Replaces all faults, and counts from the start. */
  set(faults: readonly Fault[]): void {
    this.#armed = faults.map((fault) => ({ fault, matches: matcher(fault), seen: 0 }));
  }

  /** Counts the call, and returns the fault that hits it. */
  hit(method: string, path: string): Fault | undefined {
    let hit: Fault | undefined;
    for (const armed of this.#armed) {
      if (!armed.matches(method, path)) continue;
      armed.seen += 1;
      const { nth, times } = armed.fault;
      if (armed.seen >= nth && armed.seen < nth + times) hit ??= armed.fault;
    }
    return hit;
  }
}

function matcher({ method, path }: Fault): (method: string, path: string) => boolean {
  const literal = path.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${literal.join(".*")}$`);
  return (called, at) => (method === "*" || method === called) && pattern.test(at);
}
