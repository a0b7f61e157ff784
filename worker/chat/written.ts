/** A frame as it is sent: serialized once, however many get it. */
import type { ServerFrame } from "./protocol.ts";

export interface Written {
  readonly text: string;
  /** Bytes of UTF-8. */
  readonly bytes: number;
}

const encoder = new TextEncoder();

export function written(frame: ServerFrame): Written {
  const text = JSON.stringify(frame);
  return { text, bytes: encoder.encode(text).byteLength };
}
