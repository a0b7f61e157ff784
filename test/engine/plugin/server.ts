/**
 * A stand-in for the Cloudflare provider plugin, for machines that cannot download the real one. It speaks Pulumi's
 * provider protocol, and uses the adapter by which `npm start` applies the program.
 *
 * The engine handles the marks of secrets: it removes them before a call, and adds them to the answer.
 */
import grpc from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { apiToken } from "../../../infra/provider/facts/index.ts";
import { ask } from "../../../infra/provider/functions.ts";
import { kindOf } from "../../../infra/provider/index.ts";
import { check, difference, imported, type Kind } from "../../../infra/provider/kind.ts";
import type { Properties } from "../../../infra/provider/values.ts";
import { ProviderClient } from "./client.ts";
import { planned } from "./planned.ts";
import { unary } from "./unary.ts";

const API_TOKEN = new RegExp(apiToken);
/** The provider's own message, which names the characters and not the length. */
const REFUSED_TOKEN =
  "api_token: API tokens must only contain characters a-z, A-Z, 0-9, hyphens and underscores, invalid value";

/** Serves the protocol on a free port of loopback, and returns the port. Files are relative to `folder`. */
export function serve(version: string, folder: string): Promise<number> {
  const server = new grpc.Server();
  server.addService(services.ResourceProviderService, handlers(version, folder));
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function handlers(version: string, folder: string): grpc.UntypedServiceImplementation {
  let configured: ProviderClient | undefined;
  const api = () => {
    if (!configured) throw new Error("neither the configuration nor the environment has the API's address and token");
    return configured;
  };
  const context = () => ({ api: api(), folder });

  return {
    getPluginInfo: unary(async () => {
      const response = new plugin.PluginInfo();
      response.setVersion(version);
      return response;
    }),

    getSchema: unary(async () => {
      const response = new provider.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: "cloudflare", version }));
      return response;
    }),

    configure: unary(async (request: InstanceType<typeof provider.ConfigureRequest>) => {
      // Plain here, while secrets in the request's `args` are wrapped.
      const variables = request.getVariablesMap();
      // The environment gives what is not configured.
      const baseUrl = variables.get("cloudflare:config:baseUrl") || process.env.CLOUDFLARE_BASE_URL;
      const given = variables.get("cloudflare:config:apiToken");
      // Like the real provider, this does not check a token from the environment.
      if (given && !API_TOKEN.test(given)) throw new Error(REFUSED_TOKEN);
      const token = given || process.env.CLOUDFLARE_API_TOKEN;
      if (baseUrl && token) configured = new ProviderClient({ baseUrl, token });
      const response = new provider.ConfigureResponse();
      response.setSupportspreview(true);
      return response;
    }),

    check: unary(async (request: InstanceType<typeof provider.CheckRequest>) => {
      const { inputs, problems } = check(kindFor(request), propertiesOf(request.getNews()));
      const response = new provider.CheckResponse();
      response.setInputs(structOf(inputs));
      response.setFailuresList(
        problems.map(({ property, reason }) => {
          const failure = new provider.CheckFailure();
          failure.setProperty(property);
          failure.setReason(reason);
          return failure;
        }),
      );
      return response;
    }),

    diff: unary(async (request: InstanceType<typeof provider.DiffRequest>) => {
      const old = { inputs: propertiesOf(request.getOldInputs()), state: propertiesOf(request.getOlds()) };
      const options = { folder, ignore: request.getIgnorechangesList() };
      const { changed, replacing } = difference(kindFor(request), old, propertiesOf(request.getNews()), options);
      const { DIFF_NONE, DIFF_SOME } = provider.DiffResponse.DiffChanges;
      const response = new provider.DiffResponse();
      response.setChanges(changed.length > 0 ? DIFF_SOME : DIFF_NONE);
      response.setDiffsList([...changed]);
      response.setReplacesList([...replacing]);
      return response;
    }),

    create: unary(async (request: InstanceType<typeof provider.CreateRequest>) => {
      const response = new provider.CreateResponse();
      const kind = kindFor(request);
      const inputs = propertiesOf(request.getProperties());
      if (request.getPreview()) {
        response.setProperties(structOf(planned(kind.type, inputs)));
        return response;
      }
      const { id, state } = await kind.create(context(), inputs);
      response.setId(id);
      response.setProperties(structOf(state));
      return response;
    }),

    read: unary(async (request: InstanceType<typeof provider.ReadRequest>) => {
      const response = new provider.ReadResponse();
      const kind = kindFor(request);
      const prior = { ...propertiesOf(request.getInputs()), ...propertiesOf(request.getProperties()) };
      // An import knows only the id.
      if (Object.keys(prior).length === 0) {
        const found = await imported(kind, context(), request.getId());
        response.setId(found.id);
        response.setProperties(structOf(found.state));
        response.setInputs(structOf(found.inputs));
        return response;
      }
      const state = await kind.read(context(), request.getId(), prior);
      if (!state) return response;
      response.setId(request.getId());
      response.setProperties(structOf(state));
      return response;
    }),

    update: unary(async (request: InstanceType<typeof provider.UpdateRequest>) => {
      const kind = kindFor(request);
      if (!kind.update) throw new Error(`${kind.type} cannot change in place`);
      const old = propertiesOf(request.getOlds());
      const inputs = propertiesOf(request.getNews());
      const response = new provider.UpdateResponse();
      if (request.getPreview()) {
        response.setProperties(structOf({ ...old, ...inputs }));
        return response;
      }
      const state = await kind.update(context(), request.getId(), inputs, old);
      response.setProperties(structOf(state));
      return response;
    }),

    delete: unary(async (request: InstanceType<typeof provider.DeleteRequest>) => {
      await kindFor(request).remove?.(context(), request.getId(), propertiesOf(request.getProperties()));
      return new empties.Empty();
    }),

    invoke: unary(async (request: InstanceType<typeof provider.InvokeRequest>) => {
      const response = new provider.InvokeResponse();
      response.setReturn(structOf(await ask(request.getTok(), api(), propertiesOf(request.getArgs()))));
      return response;
    }),

    cancel: unary(async () => new empties.Empty()),
    attach: unary(async () => new empties.Empty()),
  };
}

/** The kind of a URN's resource: the last of its types. */
function kindFor(request: { getUrn(): string }): Kind {
  const types = request.getUrn().split("::")[2] ?? "";
  return kindOf(types.split("$").at(-1) ?? "");
}

const propertiesOf = (struct: structs.Struct | undefined): Properties => struct?.toJavaScript() ?? {};

const structOf = (properties: Properties): structs.Struct =>
  structs.Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)));
