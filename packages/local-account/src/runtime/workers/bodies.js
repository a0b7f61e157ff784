/**
 * Long bodies of requests. workerd closes the connection of a request whose body was not read when its answer ends, and
 * then the answer may be lost on its way. So the answer to a long body ends when the body is read, by the Worker or here.
 */

/** A body of so many bytes has come before a Worker can answer. */
const SHORT = 32_768;

/** The request for the Worker, and a promise that settles when its body is read; undefined for a short one. */
export function readThrough(request) {
  const { body } = request;
  const length = request.headers.get("Content-Length");
  if (body === null || (length !== null && Number(length) <= SHORT)) return { forwarded: new Request(request) };
  const { readable, writable } =
    length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  const read = pump(body, writable);
  return { forwarded: new Request(request, { body: readable }), read };
}

/** Reads a body to its end, and passes it on for as long as somebody reads it there. */
async function pump(body, writable) {
  const writer = writable.getWriter();
  let isWanted = true;
  const stop = () => {
    isWanted = false;
  };
  writer.closed.catch(stop);
  try {
    for await (const chunk of body) if (isWanted) await writer.write(chunk).catch(stop);
    if (isWanted) await writer.close().catch(stop);
  } catch (error) {
    // The client has left.
    await writer.abort(error).catch(stop);
  }
}

/** The answer, which ends after `read`. */
export async function endingAfter(read, response) {
  if (read === undefined || response.webSocket) return response;
  if (response.body === null) {
    await read;
    return response;
  }
  const { readable, writable } = new IdentityTransformStream();
  response.body
    .pipeTo(writable, { preventClose: true })
    .then(() => read)
    .then(() => writable.close())
    .catch(() => {});
  return new Response(readable, response);
}
