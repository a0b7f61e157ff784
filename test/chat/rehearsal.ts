/** A room keeps its messages, their numbers, their writers and their files. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { member, status } from "../../infra/smoke/expect.ts";
import { logIn } from "../../infra/smoke/login.ts";

const ofType = (type: string) => (frame: unknown) => member(frame, "type") === type;

export const filling: Filling = {
  binding: "CHAT_ROOM",
  socket: (id) => `/room/${id}/ws`,
  async fill({ client, id, index, round, adminToken }) {
    const begin = async () => (await logIn(client, `rehearsal-${index}`, adminToken)).token;
    const first = await begin();
    /** The session may be in a region that is dropped. The session is lost then, but not the room. */
    const token = async () => {
      const stands = first !== undefined && (await client.call("/session", { token: first })).status === 200;
      return stands ? first : begin();
    };
    const socket = await client.connect(`/room/${id}/ws`, { token: first });
    try {
      await socket.next("the history", ofType("history"));
      const file = { token: first, text: `file ${index} of ${id}`, headers: { "Content-Type": "text/plain" } };
      const stored = await client.call(`/room/${id}/attachments?name=note.txt`, file);
      const attachment = String(member(status("POST /room/…/attachments", stored, 201), "key"));
      for (const [i, text] of ["hello", `I am room ${index}`, "see the file"].entries()) {
        socket.send({ type: "chat", text, clientId: `${round}-${i}`, ...(i === 2 && { attachment }) });
        await socket.next("the ack", ofType("ack"));
      }
      const read = async () => {
        const reader = { token: await token() };
        return {
          history: status("GET /room/…/messages", await client.call(`/room/${id}/messages`, reader), 200),
          file: status("the file", await client.call(`/room/${id}/attachments/${attachment}`, reader), 200),
        };
      };
      return { read, token };
    } finally {
      socket.close();
    }
  },
};
