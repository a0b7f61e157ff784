/** Wraps a handler of a plugin's protocol. */
import grpc from "@grpc/grpc-js";

/** A handler of one request. If it throws, the engine prints the error. */
export function unary<Request, Response>(work: (request: Request) => Promise<Response>) {
  return (call: { request: Request }, callback: (error: object | null, response?: Response) => void) => {
    work(call.request).then(
      (response) => callback(null, response),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        callback({ code: grpc.status.UNKNOWN, message, details: message });
      },
    );
  };
}
