/** Helpers of the sessions' tests. */
import { env } from "cloudflare:workers";
import { placeOfToken } from "../../../worker/session/token.ts";
import { stackOf } from "../../../worker/stack.ts";

/** The object of a session, by its token. */
export async function sessionOf(token: string) {
  const place = await placeOfToken(stackOf(env).regions, token);
  return env.SESSION.getByName(`dev-${place?.region.prefix}:session:${place?.id}`);
}
