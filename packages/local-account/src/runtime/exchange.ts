/** One HTTP request and its whole answer. Unlike `fetch` it has no limits of time: a cron trigger may run for minutes. */
import { type IncomingHttpHeaders, request } from "node:http";

/** An object's metadata is in the head of an answer (workers/internal.js): R2 takes 8 KiB, which are several times as much there. */
const MOST_HEAD_BYTES = 256 * 1_024;

export interface Exchanged {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export function exchange(
  url: string,
  { headers, body = "" }: { readonly headers: Readonly<Record<string, string>>; readonly body?: ArrayBuffer | string },
): Promise<Exchanged> {
  const { promise, resolve, reject } = Promise.withResolvers<Exchanged>();
  const outgoing = request(url, { method: "POST", headers, maxHeaderSize: MOST_HEAD_BYTES }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", reject);
    response.on("end", () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
    );
  });
  outgoing.on("error", reject);
  outgoing.end(typeof body === "string" ? body : Buffer.from(body));
  return promise;
}
