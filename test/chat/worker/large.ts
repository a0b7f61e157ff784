/** The Worker of test/chat/large.ts: lets a crowd into a room, or into one that does nothing. */
import { DurableObject } from "cloudflare:workers";
import { joinRequest } from "../../../worker/chat/joining.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import { acceptSocket, switchTo } from "../../../worker/objects/sockets.ts";

export * from "../../../worker/index.ts";

interface Bindings {
  CHAT_ROOM: DurableObjectNamespace<ChatRoomDO>;
  IDLE_ROOM: DurableObjectNamespace;
}

/** Accepts sockets, and does nothing else. */
export class IdleRoom extends DurableObject {
  override fetch(): Response {
    return switchTo(acceptSocket(this.ctx).client);
  }
}

export default {
  fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const joining = joinRequest({ userId: searchParams.get("user") ?? "somebody" });
    const namespace = pathname === "/idle" ? env.IDLE_ROOM : env.CHAT_ROOM;
    return namespace.getByName("bench:chat:crowd").fetch(joining);
  },
} satisfies ExportedHandler<Bindings>;
