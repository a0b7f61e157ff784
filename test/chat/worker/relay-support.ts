/** Helpers of the relays' tests. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { enter, type Member, newRoom, roomObject, stays, withSettings } from "./support.ts";

export const relayObject = (room: string, number = 1) => env.CHAT_ROOM.getByName(`dev-eu:chat:eu:${room}:${number}`);

/** A room with a message, a reader at home and one at a relay. */
export async function roomWithRelay() {
  const room = newRoom();
  await stays(room);
  const near = await enter(roomObject(room), "near");
  await near.say("first");
  const far = await enter(relayObject(room), "far");
  await near.nextOf("user_joined");
  return { room, near, far };
}

/** Calls of this method between a room and its relays get lost, until `mockRestore`. */
export const loseCalls = (method: "take" | "endRelay" | "relaySaid") =>
  vi.spyOn(ChatRoomDO.prototype, method).mockImplementation(() => {
    throw new Error("lost");
  });

/** Rooms of this test keep more messages than go into one frame. */
export const keepMore = () => withSettings({ historyLimit: 1_000 });

/** The texts of the next messages. */
export const textsOf = async (member: Member, count: number) => {
  const texts: string[] = [];
  while (texts.length < count) texts.push((await member.nextOf("message")).message.text);
  return texts;
};
