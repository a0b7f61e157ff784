/**
 * Static assets of a `WorkerVersion`, as the provider handles them: the files of `assets.directory`, uploaded before it.
 * They go out without content types: the local account goes by their extensions.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { messageOf } from "../common/errors.ts";
import { digestOf } from "../release/manifest.ts";
import { type Api, at } from "./api.ts";
import { isObject, object, type Properties, text, UNKNOWN, without } from "./values.ts";

/** A file to upload: where it is, and what the manifest says of it. */
interface Asset {
  readonly file: string;
  readonly hash: string;
  readonly size: number;
}

type Assets = ReadonlyMap<string, Asset>;

/**
 * The assets as the state has them: without the token, which is good for one upload, and with the hash of their manifest,
 * so that a change of a file is a change of the version.
 */
export function knownAssets(assets: Properties, folder: string): Properties {
  const kept = without(assets, "jwt");
  const { directory } = assets;
  if (typeof directory !== "string") return kept;
  if (directory === UNKNOWN) return { ...kept, assetManifestSha256: UNKNOWN };
  return { ...kept, assetManifestSha256: digestOf(JSON.stringify(manifestOf(filesOf(directory, folder)))) };
}

/** What of the assets goes out with the version, once their files have been uploaded. */
export async function sentAssets(api: Api, inputs: Properties, folder: string): Promise<Properties | undefined> {
  if (!isObject(inputs.assets)) return undefined;
  const { directory, jwt } = inputs.assets;
  const sent = without(inputs.assets, "directory", "assetManifestSha256");
  if (typeof directory !== "string" || typeof jwt === "string") return sent;
  return { ...sent, jwt: await upload(api, inputs, filesOf(directory, folder)) };
}

/** Uploads what is missing of the files and returns the token that stands for all of them. */
async function upload(api: Api, inputs: Properties, assets: Assets): Promise<string> {
  const account = at`/accounts/${text(inputs, "accountId")}`;
  const worker = await api.get(`${account}${at`/workers/workers/${text(inputs, "workerId")}`}`);
  const sessions = `${account}${at`/workers/scripts/${text(worker, "name")}`}/assets-upload-session`;
  const session = await api.post(sessions, { manifest: manifestOf(assets) });
  const buckets = Array.isArray(session.buckets) ? session.buckets : [];
  const byHash = new Map([...assets.values()].map((asset) => [asset.hash, asset]));
  let jwt = session.jwt;
  for (const bucket of buckets) {
    const form = new FormData();
    for (const hash of Array.isArray(bucket) ? bucket : []) {
      const asset = byHash.get(String(hash));
      if (asset === undefined) throw new Error(`the API asks for a file ${hash} that is not in the manifest`);
      form.append(asset.hash, new File([readFileSync(asset.file).toString("base64")], asset.hash));
    }
    const answer = await api.post(`${account}/workers/assets/upload`, form, {
      query: { base64: true },
      headers: { authorization: `Bearer ${text(session, "jwt")}` },
    });
    jwt = object(answer).jwt ?? jwt;
  }
  if (typeof jwt !== "string") throw new Error("the API gave no token for the uploaded assets");
  return jwt;
}

const manifestOf = (assets: Assets) =>
  Object.fromEntries([...assets].map(([name, { hash, size }]) => [name, { hash, size }]));

/** Every file below the directory, by its path in the manifest. */
function filesOf(directory: string, folder: string): Assets {
  const root = resolve(folder, directory);
  const names = read(directory, () => readdirSync(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(
    names.map((file) => {
      const contents = read(directory, () => readFileSync(file));
      const hash = digestOf(contents).slice(0, 32);
      return [file.slice(root.length).split(sep).join("/"), { file, hash, size: contents.byteLength }];
    }),
  );
}

function read<T>(directory: string, reading: () => T): T {
  try {
    return reading();
  } catch (error) {
    throw new Error(`assets: directory ${directory} cannot be read (${messageOf(error)})`);
  }
}
