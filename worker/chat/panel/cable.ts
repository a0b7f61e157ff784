/** The connection of a chat client, with a switch in it: what the visitor cuts stays cut until it is mended. */
import { type Connect, type ConnectionEvents, overWebSocket } from "./client.ts";

export class Cable {
  #cut = false;
  #end: (() => void) | undefined;
  /** Connects for a client that came while the cable was cut. */
  #held: (() => void) | undefined;

  get isCut(): boolean {
    return this.#cut;
  }

  cut(): void {
    this.#cut = true;
    this.#end?.();
  }

  mend(): void {
    this.#cut = false;
    this.#held?.();
  }

  readonly connect: Connect = (url, protocols, events) => {
    let send: (frame: string) => void = () => {};
    let close = () => {
      this.#held = undefined;
    };
    const start = () => {
      this.#held = undefined;
      const socket = overWebSocket(url, protocols, this.#reporting(events));
      ({ send, close } = socket);
      this.#end = () => socket.close();
    };
    if (this.#cut) this.#held = start;
    else start();
    return { send: (frame) => send(frame), close: () => close() };
  };

  /** A cut is felt at once: the close of a WebSocket may take a while to be heard. */
  #reporting(events: ConnectionEvents): ConnectionEvents {
    return {
      opened: () => !this.#cut && events.opened(),
      received: (frame) => !this.#cut && events.received(frame),
      closed: () => events.closed(),
    };
  }
}
