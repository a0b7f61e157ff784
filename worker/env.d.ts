/**
 * The secrets. wrangler.jsonc could only declare them as required, and then a plain `wrangler deploy` without them
 * would fail. Without the token nobody is the admin, and everything else works.
 */
interface Env {
  /** The token of the stack's owner (worker/http/admin.ts). */
  readonly ADMIN_TOKEN?: string;
  /** The earlier token, while callers change to the new one. */
  readonly ADMIN_TOKEN_PREVIOUS?: string;
}

declare namespace Cloudflare {
  interface Env {
    readonly ADMIN_TOKEN?: string;
    readonly ADMIN_TOKEN_PREVIOUS?: string;
  }
}
