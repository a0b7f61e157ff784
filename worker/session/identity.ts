/** Who a session's token stands for: the public interface of the session pattern. */
import type { Sessions } from "../http/context.ts";
import { isGuestId } from "../http/user-id.ts";
import { objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { COOKIE_GONE, shownCookie } from "./credentials.ts";
import { session } from "./pattern.ts";
import { placeOfToken } from "./token.ts";

export const sessions: Sessions = {
  async callerOf(c, token) {
    const place = await placeOfToken(stackOf(c.env).regions, token);
    const found = place && (await retry(async () => objectFor(c, session, place).read()));
    return found && { kind: isGuestId(found.userId) ? "guest" : "user", id: found.userId };
  },
  cookieOf: shownCookie,
  withoutCookie: COOKIE_GONE,
};
