/**
 * The stack `local` for the Pulumi CLI: a backend beside its account, and a stack's file there, made anew each time from
 * the project's and the one beside the account. The CLI writes into the stack's file (its salt, and keys its own way),
 * so it never gets the committed one.
 */
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Interrupted } from "../common/interrupted.ts";
import { makeFolder, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { writtenYaml } from "../common/yaml-file.ts";
import { ROOT } from "../release/root.ts";
import { localAccount } from "../stack/account.ts";
import { checkLocalSettings } from "../stack/open.ts";
import { setOverVariable } from "../stack/placed.ts";
import { encryptedIn, fullKey, LOCAL, ownFile, projectName, readProject, readStackFile } from "../stack/project.ts";
import { CLI_FOLDER, settingsFile } from "../stack/settings-file.ts";
import { adminTokenOf, WITHOUT_TOKENS } from "./admin-token.ts";
import { runPulumi, type Variables } from "./pulumi-cli.ts";

/** It guards the state of a throw-away account, whose secrets are in the same folder. */
const PASSPHRASE = "local";

/**
 * Makes the stack where it is not there yet; `dir`: the account's folder, seen from the project. What the CLI then runs
 * with, and the stack's file for its `--config-file`.
 * @throws UserError where no account runs there, or the settings cannot be read.
 */
export async function cliLocal(dir: string): Promise<{ readonly env: Variables; readonly file: string }> {
  const { apiUrl, accountId, token } = localAccount(dir, "npm run account");
  const folder = join(resolve(ROOT, dir), CLI_FOLDER);
  makeFolder(folder);
  const file = join(folder, ownFile(LOCAL));
  writeNamed(file, stackFile(file, dir));
  const project = readProject(ROOT, LOCAL, settingsFile(LOCAL, dir));
  checkLocalSettings(project);
  // A project of the same name with nothing in it: a stack that is made there has its salt written there.
  writeNamed(join(folder, "Pulumi.yaml"), writtenYaml({ name: project.name, runtime: "nodejs" }));
  const env = {
    // A folder's name may have what means something else in a URL, such as # and %.
    PULUMI_BACKEND_URL: pathToFileURL(folder).href,
    PULUMI_CONFIG_PASSPHRASE: PASSPHRASE,
    PULUMI_STACK: undefined,
    CLOUDFLARE_BASE_URL: apiUrl,
    CLOUDFLARE_API_TOKEN: token,
    CLOUDFLARE_ACCOUNT_ID: accountId,
    // The provider would send these beside the token.
    CLOUDFLARE_API_KEY: undefined,
    CLOUDFLARE_EMAIL: undefined,
    CLOUDFLARE_API_USER_SERVICE_KEY: undefined,
    ...setOverVariable(project.setOver),
    // The account's own, as `npm start` has it, and no other.
    ...WITHOUT_TOKENS,
    ADMIN_TOKEN: adminTokenOf(resolve(ROOT, dir)),
  };
  const made = await runPulumi(["stack", "select", LOCAL, "--create"], folder, env, true).catch((error: unknown) => {
    // Nothing of what the stack is made for has been done.
    throw error instanceof Interrupted ? new Interrupted(error.signal, false) : error;
  });
  if (made !== 0) throw new UserError(`The stack ${LOCAL} could not be made in ${relative(ROOT, folder) || folder}.`);
  return { env, file };
}

/** The text of the CLI's file: the settings of both other files, and what it has written itself to read its secrets. */
function stackFile(file: string, dir: string): string {
  const project = projectName();
  const sources = [join(ROOT, ownFile(LOCAL)), settingsFile(LOCAL, dir)];
  const config: Record<string, unknown> = {};
  for (const source of sources) {
    const given = readStackFile(source).config;
    const encrypted = encryptedIn(given);
    if (encrypted.length > 0) {
      throw new UserError(
        `${source}: ${encrypted.join(", ")} cannot be decrypted here: the stack ${LOCAL} has a backend of its own. Fix: set it in plain text, or leave it out.`,
      );
    }
    for (const [key, value] of Object.entries(given)) config[fullKey(project, key)] = value;
  }
  const { encryptionsalt } = readStackFile(file);
  const names = sources.map((source) => relative(ROOT, source)).join(" and ");
  return `# Made by \`npm run up\` from ${names}: change those.\n${writtenYaml({ ...(encryptionsalt && { encryptionsalt }), config })}`;
}
