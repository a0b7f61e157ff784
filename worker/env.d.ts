/**
 * What wrangler.jsonc cannot declare: the secrets. They are not among its required ones, so that a plain `wrangler deploy`
 * succeeds: without the token nobody is the admin, and everything else works.
 */
interface Env {
  /** The token of the stack's owner (worker/admin.ts). */
  readonly ADMIN_TOKEN?: string;
  /** The one before it, while callers change over to the new one. */
  readonly ADMIN_TOKEN_PREVIOUS?: string;
}

declare namespace Cloudflare {
  interface Env {
    readonly ADMIN_TOKEN?: string;
    readonly ADMIN_TOKEN_PREVIOUS?: string;
  }
}
