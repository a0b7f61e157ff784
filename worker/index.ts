/** Entry of the Worker: the app, and the classes of its Durable Objects. */
import { app } from "./app.ts";

export { ChatRoomDO } from "./chat/room.ts";
export { CounterDO } from "./counter/counter.ts";
export { AccountDO } from "./ledger/ledger.ts";
export { RateLimiterDO } from "./rate-limit/limiter.ts";
export { SessionDO } from "./session/session.ts";

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
