/**
 * The server's end of a WebSocket that only sends. No library serves here: `wrangler tail` sends a frame without a
 * mask, which RFC 6455 forbids and every library refuses. Cloudflare takes it, and so does this.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE = { text: 0x1, close: 0x8, ping: 0x9, pong: 0xa } as const;

/** How much may wait for a client that does not read, in bytes. */
const MOST_UNREAD = 2 ** 20;

/** How large a client's frame may be. wrangler sends small ones. */
const MOST_FRAME = 2 ** 16;

export class Listener {
  readonly #socket: Duplex;
  #unread: Buffer = Buffer.alloc(0);

  /** Answers the handshake. Calls `onClose` once, however the connection ends. */
  constructor(incoming: IncomingMessage, socket: Duplex, protocol: string, onClose: () => void) {
    this.#socket = socket;
    const accept = createHash("sha1").update(`${incoming.headers["sec-websocket-key"]}${GUID}`).digest("base64");
    socket.write(
      [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Accept: ${accept}`,
        `Sec-WebSocket-Protocol: ${protocol}`,
        "\r\n",
      ].join("\r\n"),
    );
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
    socket.once("close", onClose);
  }

  /** Whether too much waits for the client already. */
  get isBehind(): boolean {
    return this.#socket.writableLength > MOST_UNREAD;
  }

  send(text: string): void {
    this.#write(OPCODE.text, Buffer.from(text));
  }

  /** Calls `then` once the client has read all that was sent. */
  onceRead(then: () => void): void {
    this.#socket.once("drain", then);
  }

  close(): void {
    this.#write(OPCODE.close, Buffer.from([0x03, 0xe8])); // 1000: normal closure
    this.#socket.end();
  }

  /** Reads the complete frames: answers a ping, ends at a close or a frame that is too large, and ignores all others. */
  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (let frame = parse(this.#unread); frame !== undefined; frame = parse(this.#unread)) {
      this.#unread = this.#unread.subarray(frame.size);
      if (frame.opcode === OPCODE.ping && !this.isBehind) this.#write(OPCODE.pong, frame.payload);
      if (frame.opcode === OPCODE.close) this.close();
    }
    if (this.#unread.length > MOST_FRAME) this.#socket.destroy();
  }

  #write(opcode: number, payload: Buffer): void {
    if (!this.#socket.writable) return;
    this.#socket.write(Buffer.concat([head(opcode, payload.length), payload]));
  }
}

/** The header of an unfragmented, unmasked frame. */
function head(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, length]);
  const wide = Buffer.alloc(length < 0x1_0000 ? 4 : 10);
  wide[0] = first;
  wide[1] = length < 0x1_0000 ? 126 : 127;
  if (length < 0x1_0000) wide.writeUInt16BE(length, 2);
  else wide.writeBigUInt64BE(BigInt(length), 2);
  return wide;
}

/** The first frame of the bytes, masked or not; undefined if it is not complete. */
function parse(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly size: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const maskBytes = (second & 0x80) === 0 ? 0 : 4;
  const start = 2 + lengthBytes + maskBytes;
  if (bytes.length < start) return undefined;
  const length =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - maskBytes, start);
  const payload = bytes.subarray(start, start + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return { opcode: first & 0x0f, payload: Buffer.from(payload), size: start + length };
}
