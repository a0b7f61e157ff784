/** Entry of the Worker: exports the class of each pattern, and mounts its routes. */
import { appOf } from "./app.ts";
import { routes as chat } from "./chat/routes.ts";
import { routes as counter } from "./counter/routes.ts";
import { routes as document } from "./document/routes.ts";
import { routes as ledger } from "./ledger/routes.ts";
import { rateLimit } from "./rate-limit/middleware.ts";
import { routes as limit } from "./rate-limit/routes.ts";
import { sessions } from "./session/identity.ts";
import { routes as session } from "./session/routes.ts";

export { ChatRoomDO } from "./chat/room.ts";
export { CounterDO } from "./counter/counter.ts";
export { DocumentDO } from "./document/document.ts";
export { AccountDO } from "./ledger/ledger.ts";
export { RateLimiterDO } from "./rate-limit/limiter.ts";
export { SessionDO } from "./session/session.ts";

export default appOf({
  routes: { counter, chat, ledger, session, "rate-limit": limit, document },
  sessions,
  limiter: rateLimit,
});
