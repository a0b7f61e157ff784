/**
 * GitHub as the workflows that deploy see it: artifacts of runs, attestations (a list of hashes), secrets of environments
 * and texts of issues, in a folder, and a `gh` that knows as much of them as their lines ask for.
 */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const GH = (root: string) => `#!/usr/bin/env bash
set -euo pipefail
root="${root}" command="$1 $2" name="$3" environment="" folder="." body=""
shift 2
while (($#)); do
  case "$1" in
    --env) environment=$2 ;;
    --dir) folder=$2 ;;
    --body-file) body=$2 ;;
  esac
  shift
done
if [ -e "$root/down" ] && [ "$command $environment" = "$(cat "$root/down")" ]; then
  echo "HTTP 503: Service Unavailable" >&2 && exit 1
fi
case "$command" in
  "attestation verify") grep -q "$(sha256sum "$name" | cut -d' ' -f1)" "$root/attested" ;;
  "run list") ls "$root/runs" | sort -rn ;;
  "run download") mkdir -p "$folder" && cp "$root/runs/$name/release.tar.gz" "$folder/" ;;
  "issue list") ;;
  "issue create") cat "$body" >> "$root/issues" ;;
  "secret list")
    [ -d "$root/secrets/$environment" ] || { echo "failed to get secrets: HTTP 404: Not Found" >&2 && exit 1; }
    ls "$root/secrets/$environment"
    # More than a pipe holds: who reads on only to a name ends this line, as GitHub's program where it is slow.
    printf 'Z%0.s\n' {1..50000} ;;
  "secret set") value=$(cat) && printf %s "$value" > "$root/secrets/$environment/$name" ;;
  "secret delete") rm "$root/secrets/$environment/$name" ;;
  *) echo "gh of this test does not know: $command" >&2 && exit 1 ;;
esac
`;

export class ReleaseGitHub {
  readonly #root: string;
  #runs = 0;

  /** @param root an empty folder. */
  constructor(root: string) {
    this.#root = root;
    for (const name of ["runs", "secrets"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "attested"), "");
    writeFileSync(join(root, "issues"), "");
    writeFileSync(this.gh, GH(root));
    chmodSync(this.gh, 0o755);
  }

  /** The program. */
  get gh(): string {
    return join(this.#root, "gh");
  }

  /** The folder of the artifacts of a new run. */
  run(): string {
    this.#runs++;
    const folder = join(this.#root, "runs", String(this.#runs));
    mkdirSync(folder);
    return folder;
  }

  /** Forgets the artifacts of all runs, as GitHub does after some time. */
  forgetArtifacts(): void {
    const runs = join(this.#root, "runs");
    for (const run of readdirSync(runs)) rmSync(join(runs, run, "release.tar.gz"), { force: true });
  }

  attest(file: string): void {
    const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
    appendFileSync(join(this.#root, "attested"), `${hash}\n`);
  }

  /** From now on GitHub does not answer this command (`secret list production`); undefined: it answers all. */
  set down(command: string | undefined) {
    const file = join(this.#root, "down");
    if (command === undefined) rmSync(file, { force: true });
    else writeFileSync(file, command);
  }

  /** What was written into issues. */
  get issues(): string {
    return readFileSync(join(this.#root, "issues"), "utf8");
  }

  /** A secret of an environment; undefined: it has none of this name. */
  secret(environment: string, name: string): string | undefined {
    const file = join(this.#root, "secrets", environment, name);
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }

  removeEnvironment(name: string): void {
    rmSync(join(this.#root, "secrets", name), { recursive: true });
  }

  setSecret(environment: string, name: string, value: string | undefined): void {
    const folder = join(this.#root, "secrets", environment);
    mkdirSync(folder, { recursive: true });
    if (value === undefined) rmSync(join(folder, name), { force: true });
    else writeFileSync(join(folder, name), value);
  }
}
