/** The caller of a session's token: the public interface of the session pattern. */

import type { Sessions } from "../http/context.ts";
import { deadCredential } from "../http/denials.ts";
import { refusal } from "../http/problem.ts";
import { isGuestId } from "../http/user-id.ts";
import { objectFor, objectName, placeOf } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { COOKIE_GONE, cookieOf, shownCookie, shownToken } from "./credentials.ts";
import { session } from "./pattern.ts";
import { placeOfToken } from "./token.ts";

export const sessions: Sessions = {
  async callerOf(c, token) {
    const { regions } = stackOf(c.env);
    const place = await placeOfToken(regions, token);
    const found = place && (await retry(async () => objectFor(c, session, place).read()));
    if (!found) return undefined;
    const kind = isGuestId(found.userId) ? "guest" : "user";
    return { kind, id: found.userId, session: objectName(regions, session.name, place) };
  },
  async hold(c, caller, { name, binding }, id) {
    const { regions } = stackOf(c.env);
    const place = caller.session === undefined ? undefined : await placeOfToken(regions, shownToken(c) ?? "");
    if (!place) return;
    const at = placeOf(c, id);
    const holder = { binding, name: objectName(regions, name, at), jurisdiction: at.region.jurisdiction };
    const held = await retry(() => objectFor(c, session, place).hold(holder));
    if (held === "gone") throw deadCredential("The session");
    if (held === "full") throw refusal("rate-limited", "This session is in too many rooms at once; leave one");
  },
  cookieOf: shownCookie,
  async withoutCookie(c) {
    const place = await placeOfToken(stackOf(c.env).regions, cookieOf(c) ?? "");
    // The cookie is gone as well if the object does not answer, or is of a release without this method.
    const wasReplaced =
      place &&
      (await objectFor(c, session, place)
        .wasReplaced()
        .catch(() => false));
    return wasReplaced ? {} : { "Set-Cookie": COOKIE_GONE };
  },
};
