/**
 * What a stack's state has already, whoever keeps it: the Pulumi engine, or `npm start`. Only what the state does not
 * have may be imported: the engine takes an import of what it has under another id for a replacement, and deletes the
 * old one with all its data.
 */
import * as v from "valibot";
import type { Properties } from "../../provider/values.ts";
import { KEEPER } from "../../stack/declared.ts";

/**
 * The engine's function that answers with the outputs of every resource in a stack's state (pkg/resource/deploy/builtins.go
 * of Pulumi 3.274.1). `npm start` answers it from its own state.
 */
export const READ_STATE = "pulumi:pulumi:readStackResourceOutputs";

const Answer = v.object({
  /** As `Known.looksAtAll`. `npm start` says it; the engine does not. */
  looksAtAll: v.optional(v.boolean(), false),
  outputs: v.record(
    v.string(),
    v.object({
      outputs: v.record(v.string(), v.unknown()),
      /** `npm start` says it; the engine does not. */
      retainOnDelete: v.optional(v.boolean()),
    }),
  ),
});

/** A resource of a state; `retainOnDelete`: whether it stays in the account once it is not declared; undefined: not said. */
type Resource = readonly [urn: string, outputs: Properties, retainOnDelete?: boolean | undefined];

/** The resources of a state, by type and name. */
export class Known {
  readonly #resources: ReadonlyMap<string, Resource>;
  /** Whether an update looks at every resource first, so that what is gone comes back: the engine does where it is asked to. */
  readonly looksAtAll: boolean;

  private constructor(resources: Iterable<Resource>, looksAtAll: boolean) {
    this.looksAtAll = looksAtAll;
    this.#resources = new Map([...resources].map((resource) => [keyOf(resource[0]), resource]));
  }

  static of(resources: Iterable<Resource>, looksAtAll = false): Known {
    return new Known(resources, looksAtAll);
  }

  /** The answer to READ_STATE; undefined where it is none: an engine that does not know the function. */
  static from(answer: unknown): Known | undefined {
    const parsed = v.safeParse(Answer, answer);
    if (!parsed.success) return undefined;
    const resources = Object.entries(parsed.output.outputs);
    return new Known(
      resources.map(([urn, { outputs, retainOnDelete }]) => [urn, outputs, retainOnDelete] as const),
      parsed.output.looksAtAll,
    );
  }

  /** As `npm start` answers READ_STATE. */
  get answer(): Properties {
    const entries = [...this.#resources.values()].map(
      ([urn, outputs, retainOnDelete]) => [urn, { outputs, retainOnDelete }] as const,
    );
    return { looksAtAll: this.looksAtAll, outputs: Object.fromEntries(entries) };
  }

  /** The outputs of a resource by its type (`Worker`) and its name in the program. */
  get(type: string, name: string): Properties | undefined {
    return this.#resources.get(`${type} ${name}`)?.[1];
  }

  /**
   * Whether storage stays in the account when its binding goes. The last update has decided that, and not the settings
   * of now: a state remembers with each resource how it is to be deleted.
   */
  keeps(type: string, name: string): boolean {
    const [, , retainOnDelete] = this.#resources.get(`${type} ${name}`) ?? [];
    return retainOnDelete ?? this.get(KEEPER.type, KEEPER.name)?.keepsStorage === true;
  }

  /** The URNs of all resources, which say whose each is. */
  get urns(): readonly string[] {
    return [...this.#resources.values()].map(([urn]) => urn);
  }

  /** The names of all resources of a type. */
  names(type: string): readonly string[] {
    return [...this.#resources.keys()].flatMap((key) =>
      key.startsWith(`${type} `) ? [key.slice(type.length + 1)] : [],
    );
  }
}

/** `Worker worker` of `urn:pulumi:stack::project::…$cloudflare:index/worker:Worker::worker`. */
function keyOf(urn: string): string {
  const [, , types = "", ...name] = urn.split("::");
  return `${types.split(":").at(-1)} ${name.join("::")}`;
}
