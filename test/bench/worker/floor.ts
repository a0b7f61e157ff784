/** The floor: what a call costs when the object does nothing. */
import { DurableObject } from "cloudflare:workers";

export class Floor extends DurableObject {
  call(): { ok: true } {
    return { ok: true };
  }
}
