/** The connection of a chat client, with a switch: once the visitor cuts it, it stays cut until they reconnect. */
import { type Connect, type ConnectionEvents, overWebSocket } from "./client.ts";

export class Cable {
  #cut = false;
  #end: (() => void) | undefined;
  /** Connects a client that asked for a connection while the cable was cut. */
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

  /** Reports a cut at once: the close event of a WebSocket may take a while. */
  #reporting(events: ConnectionEvents): ConnectionEvents {
    return {
      opened: () => !this.#cut && events.opened(),
      received: (frame) => !this.#cut && events.received(frame),
      closed: () => events.closed(),
    };
  }
}
