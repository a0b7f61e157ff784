/** Calls of the room's routes, to check docs/access.md: each in a new room, with the rule and owner of the test. */
import type { Call } from "../../worker/helpers.ts";
import { unique } from "../../worker/helpers.ts";
import { askAsAdmin, type Tries, type Try } from "../../worker/tries.ts";

const inRoom =
  (path: string, call: Call & { missing?: true } = {}): Try =>
  async (owner, rule) => {
    const room = `/room/${unique()}`;
    await askAsAdmin(`${room}/access`, { method: "PUT", json: { rule, owner } });
    return { path: room + path, ...call };
  };
const upgrade = { headers: { Upgrade: "websocket" } };

export const tries: Tries = {
  "GET /room/:roomId": inRoom("", upgrade),
  "GET /room/:roomId/ws": inRoom("/ws", upgrade),
  "GET /room/:roomId/messages": inRoom("/messages"),
  "GET /room/:roomId/access": inRoom("/access"),
  "PUT /room/:roomId/access": inRoom("/access", { method: "PUT", json: { rule: "public" } }),
  "PUT /room/:roomId/members/:userId": inRoom("/members/eve", { method: "PUT" }),
  "DELETE /room/:roomId/members/:userId": inRoom("/members/eve", { method: "DELETE" }),
  "DELETE /room/:roomId/messages/:seq": inRoom("/messages/1", { method: "DELETE", missing: true }),
  "DELETE /room/:roomId": inRoom("", { method: "DELETE" }),
  "POST /room/:roomId/attachments": inRoom("/attachments", {
    json: "hi",
    headers: { "Content-Type": "text/plain", "Content-Length": "2" },
  }),
  "GET /room/:roomId/attachments/:key": inRoom("/attachments/none", { missing: true }),
};
