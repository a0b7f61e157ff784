/**
 * A stand-in for Pulumi's Node language host (`pulumi-language-nodejs`), for machines that cannot download it. It
 * speaks the CLI's protocol, as far as `preview` and `up` use it, and runs the program like the real one: with the
 * `node` on the PATH, and `cmd/run` of the program's own `@pulumi/pulumi`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import * as v from "valibot";
import { unary } from "../plugin/unary.ts";

/** The exit code of `cmd/run` after it has told the user what is wrong. Its parent then adds nothing. */
const TOLD = 32;

const Package = v.object({ version: v.string() });
/** `runtime.options` of Pulumi.yaml. Other options are for other versions of the real host. */
const Options = v.object({ nodeargs: v.optional(v.string(), ""), typescript: v.optional(v.boolean(), true) });

/** Serves the protocol on a free port of loopback, and returns the port. `engine`: the CLI's own address. */
export function serve(engine: string): Promise<number> {
  const server = new grpc.Server();
  server.addService(services.LanguageRuntimeService, handlers(engine));
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function handlers(engine: string): grpc.UntypedServiceImplementation {
  return {
    handshake: unary(async () => new language.LanguageHandshakeResponse()),

    getPluginInfo: unary(async () => {
      const response = new plugin.PluginInfo();
      response.setVersion("0.0.0");
      return response;
    }),

    /** The packages with a provider. The engine looks for their plugins before it runs the program. */
    getRequiredPackages: unary(async (request: InstanceType<typeof language.GetRequiredPackagesRequest>) => {
      const needed = new plugin.PackageDependency();
      needed.setName("cloudflare");
      needed.setKind("resource");
      needed.setVersion(versionOf("@pulumi/cloudflare", directoryOf(request)));
      const response = new language.GetRequiredPackagesResponse();
      response.setPackagesList([needed]);
      return response;
    }),

    about: unary(async () => {
      const response = new language.AboutResponse();
      response.setExecutable("node");
      response.setVersion(process.version);
      return response;
    }),

    getProgramDependencies: unary(async () => new language.GetProgramDependenciesResponse()),

    run: unary((request: InstanceType<typeof language.RunRequest>) => run(request, engine)),
  };
}

async function run(
  request: InstanceType<typeof language.RunRequest>,
  engine: string,
): Promise<InstanceType<typeof language.RunResponse>> {
  const info = request.getInfo();
  const directory = directoryOf(request);
  const { nodeargs, typescript } = v.parse(Options, info?.getOptions()?.toJavaScript() ?? {});
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info?.getRootDirectory() ?? "",
    stack: request.getStack(),
    pwd: directory,
    parallel: String(request.getParallel()),
  };
  const args = [
    ...nodeargs.split(" ").filter(Boolean),
    createRequire(join(directory, "program.js")).resolve("@pulumi/pulumi/cmd/run/index.js"),
    ...Object.entries(flags).flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value])),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    info?.getEntryPoint() ?? ".",
    ...request.getArgsList(),
  ];
  const child = spawn("node", args, {
    stdio: ["ignore", "inherit", "inherit"],
    cwd: directory,
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().getEntryList())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      PULUMI_NODEJS_TYPESCRIPT: String(typescript),
    },
  });
  const [code] = await once(child, "exit");
  const response = new language.RunResponse();
  if (code === TOLD) response.setBail(true);
  else if (code !== 0) response.setError(`Program exited with non-zero exit code: ${code}`);
  return response;
}

const directoryOf = (request: { getInfo(): InstanceType<typeof language.ProgramInfo> | undefined }): string =>
  request.getInfo()?.getProgramDirectory() ?? ".";

/** The version of a package that the program in `directory` imports. */
function versionOf(name: string, directory: string): string {
  const require = createRequire(join(directory, "program.js"));
  return v.parse(Package, require(`${name}/package.json`)).version;
}
