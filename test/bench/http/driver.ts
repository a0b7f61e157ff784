/**
 * A load of HTTP requests from sockets of its own. `fetch` of Node costs several times what the Worker does, so it would
 * measure itself.
 */
import { connect, type Socket } from "node:net";

/** The bytes of a request. */
export function requestOf(
  url: string,
  { method, path, json }: { readonly method: string; readonly path: string; readonly json?: object },
  headers: Readonly<Record<string, string>>,
): Buffer {
  const body = json === undefined ? "" : JSON.stringify(json);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(url).host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(json === undefined ? [] : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

export interface Load {
  readonly url: string;
  readonly request: Buffer;
  readonly concurrency: number;
  readonly ms: number;
}

/** Sends the request over and over, on `concurrency` connections. Returns requests a second. @throws Error if one fails */
export async function load({ url, request, concurrency, ms }: Load): Promise<number> {
  const end = performance.now() + ms;
  const counts = await Promise.all(Array.from({ length: concurrency }, () => connection(url, request, end)));
  return (counts.reduce((sum, count) => sum + count, 0) / (performance.now() - end + ms)) * 1_000;
}

function connection(url: string, request: Buffer, end: number): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let count = 0;
    let pending = Buffer.alloc(0);
    const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => socket.write(request));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("The Worker closed the connection")));
    socket.on("data", (chunk) => {
      pending = pending.byteLength === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = lengthOf(pending);
      if (length === undefined || pending.byteLength < length) return;
      if (pending[9] !== 0x32) {
        reject(new Error(`The Worker answered ${pending.toString("latin1").split("\r\n", 1)[0]}`));
        socket.destroy();
        return;
      }
      pending = pending.subarray(length);
      count++;
      if (performance.now() < end) socket.write(request);
      else {
        resolve(count);
        socket.destroy();
      }
    });
  });
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** The bytes of the answer that begins here; undefined if its end is not here yet. */
function lengthOf(bytes: Buffer): number | undefined {
  const head = bytes.indexOf(HEAD_END);
  if (head < 0) return undefined;
  const declared = /\r\ncontent-length: (\d+)/i.exec(bytes.toString("latin1", 0, head))?.[1];
  if (declared !== undefined) return head + HEAD_END.byteLength + Number(declared);
  const last = bytes.indexOf(LAST_CHUNK, head);
  return last < 0 ? undefined : last + LAST_CHUNK.byteLength;
}
