import { DurableObject } from "cloudflare:workers";

export class ChatRoomDO extends DurableObject<Env> {}
