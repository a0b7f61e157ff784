/**
 * Pulumi's mock monitor, made to do the work: what a program declares goes to the steps of an apply, with the options
 * that the mocks of a test do not get to see (`protect`, `ignoreChanges`, …), and their results go back to the program.
 */
import * as pulumi from "@pulumi/pulumi";
import resources from "@pulumi/pulumi/proto/resource_pb.js";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { READ_STATE } from "../plan/state/known.ts";
import { Api, type Connection } from "../provider/api.ts";
import { ask } from "../provider/functions.ts";
import { kindOf } from "../provider/index.ts";
import { object, type Properties, text } from "../provider/values.ts";
import { reveal } from "./secrets.ts";
import type { Steps } from "./steps.ts";

type Request = InstanceType<typeof resources.RegisterResourceRequest>;
type Callback = (error: unknown, response: unknown) => void;

const ROOT = "pulumi:pulumi:Stack";
const PROVIDER = "pulumi:providers:";

export class Monitor {
  readonly #steps: Steps;
  readonly #folder: string;
  readonly #default: Connection;
  readonly #providers = new Map<string, Connection>();
  readonly #failures: Error[] = [];
  readonly #stopped = Promise.withResolvers<readonly Error[]>();
  #running = 0;
  #mock: MockMonitor | undefined;

  /** `folder`: the program's. `connection`: the account of resources whose provider says nothing else. */
  constructor(steps: Steps, folder: string, connection: Connection) {
    this.#steps = steps;
    this.#folder = folder;
    this.#default = connection;
  }

  /** Makes this the monitor of the program that runs next in this process. */
  async install(project: string, stack: string): Promise<void> {
    await pulumi.runtime.setMocks(
      {
        call: ({ token, inputs, provider }) =>
          this.#work(async () =>
            token === READ_STATE ? this.#steps.state : ask(token, this.#api(provider), plain(inputs)),
          ),
        // Only `Resource.get` comes this way, once `registerResource` is ours.
        newResource: ({ type, id, inputs, provider }) => this.#work(() => this.#get(type, id ?? "", inputs, provider)),
      },
      project,
      stack,
      false,
      // The name that the engine gives where the backend knows no organizations.
      "organization",
    );
    const mock: unknown = pulumi.runtime.getMonitor();
    if (!(mock instanceof MockMonitor)) throw new Error("This version of @pulumi/pulumi has no mock monitor");
    mock.registerResource = (request: Request, callback: Callback) => this.#answer(mock, request, callback);
    this.#mock = mock;
  }

  /** What the program exports, as it has been registered so far; secrets are wrapped. */
  get outputs(): Properties {
    const root = [...(this.#mock?.resources.values() ?? [])].find(({ urn }) => urn.includes(`::${ROOT}::`));
    return root?.state instanceof structs.Struct ? root.state.toJavaScript() : {};
  }

  /** Resolves with everything that went wrong once something did and what was under way has ended. */
  get stopped(): Promise<readonly Error[]> {
    return this.#stopped.promise;
  }

  get hasFailed(): boolean {
    return this.#failures.length > 0;
  }

  /** Lets what is under way end, and starts nothing more. What follows from an earlier failure is not news. */
  stop(error: Error): void {
    if (!this.hasFailed) this.#failures.push(error);
    if (this.#running === 0) this.#stopped.resolve(this.#failures);
  }

  async #answer(mock: MockMonitor, request: Request, callback: Callback): Promise<void> {
    try {
      const { urn, id, outputs } = await this.#register(request);
      const state = structs.Struct.fromJavaScript(JSON.parse(JSON.stringify(outputs)));
      mock.resources.set(urn, { urn, id: id ?? null, state });
      const response = new resources.RegisterResourceResponse();
      response.setUrn(urn);
      response.setId(id ?? "");
      response.setObject(state);
      callback(null, response);
    } catch (error) {
      callback(error, undefined);
    }
  }

  async #get(type: string, id: string, inputs: unknown, provider: string | undefined) {
    const context = { api: this.#api(provider), folder: this.#folder };
    const state = await kindOf(type).read(context, id, plain(inputs));
    if (!state) throw new Error(`${type} ${id} does not exist`);
    return { id, state: { ...state } };
  }

  async #register(request: Request): Promise<{ urn: string; id?: string; outputs: Properties }> {
    const type = request.getType();
    const urn = urnOf(request);
    const inputs: Properties = request.getObject()?.toJavaScript() ?? {};
    if (!request.getCustom()) return { urn, outputs: inputs };
    if (type.startsWith(PROVIDER)) {
      this.#providers.set(`${urn}::${PROVIDER_ID}`, this.#connectionOf(plain(inputs)));
      return { urn, id: PROVIDER_ID, outputs: inputs };
    }
    const { id, outputs } = await this.#work(() =>
      this.#steps.apply({
        urn,
        type,
        name: request.getName(),
        inputs,
        api: this.#api(request.getProvider()),
        protect: request.getProtect() ?? false,
        retainOnDelete: request.getRetainondelete() ?? false,
        deleteBeforeReplace: request.getDeletebeforereplace(),
        ignoreChanges: request.getIgnorechangesList(),
        replaceOnChanges: request.getReplaceonchangesList(),
        importId: request.getImportid(),
      }),
    );
    return { urn, id, outputs: { ...outputs } };
  }

  /** Counts `work` as under way until it has ended; the first failure is the end of the apply. */
  async #work<T>(work: () => Promise<T>): Promise<T> {
    if (this.hasFailed) throw new Error("not started, because the apply has failed already");
    this.#running++;
    try {
      return await work();
    } catch (error) {
      this.#failures.push(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#running--;
      if (this.hasFailed && this.#running === 0) this.#stopped.resolve(this.#failures);
    }
  }

  #api(provider: string | undefined): Api {
    return new Api((provider && this.#providers.get(provider)) || this.#default);
  }

  #connectionOf(inputs: Properties): Connection {
    return {
      baseUrl: inputs.baseUrl === undefined ? this.#default.baseUrl : text(inputs, "baseUrl"),
      token: inputs.apiToken === undefined ? this.#default.token : text(inputs, "apiToken"),
    };
  }
}

const plain = (inputs: unknown): Properties => object(reveal(inputs));

/** A provider is nothing at Cloudflare: its id says only that it is one. */
const PROVIDER_ID = "local";

/** The URN that the engine would give: the types of all parents but the stack, then the type, then the name. */
function urnOf(request: Request): string {
  const parent = request.getParent()?.split("::")[2];
  const types = [...(parent === undefined || parent === ROOT ? [] : [parent]), request.getType()];
  return `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}::${types.join("$")}::${request.getName()}`;
}
