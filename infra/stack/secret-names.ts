/** The names under which a Worker finds its secrets. */
import { UserError } from "../common/user-error.ts";

/** What Cloudflare takes as a secret's name. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** @throws UserError with every name that is not one of a secret. It says no value. */
export function mustBeSecretNames(names: readonly string[]): void {
  const wrong = names.filter((name) => !NAME.test(name)).map((name) => JSON.stringify(name.slice(0, 100)));
  if (wrong.length === 0) return;
  throw new UserError(
    `${wrong.join(", ")} cannot be the name of a secret: it must be letters (A-Z a-z), digits and _, and not begin with a digit. Nothing was sent. Fix: rename it in \`secrets\` (infra/index.ts), and where the Worker uses it.`,
  );
}
