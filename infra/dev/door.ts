/**
 * What stands in front of the Worker under `npm run dev`. A site can resolve its own name to this machine (DNS
 * rebinding), and a page of it would reach the Worker, whose token everybody knows.
 */
import { THIS_MACHINE } from "@durable-stack/local-account/loopback";

/** A module that runs the `main` one, and refuses requests to any name but this machine's, WebSockets too. */
export const doorOf = (main: string): string => `
import worker from "./${main}";
export * from "./${main}";
export default worker;

// In its place, so that nothing else of the Worker is another: it may be an object or a class.
const handlers = typeof worker === "function" ? worker.prototype : worker;
const { fetch } = handlers;
if (fetch) handlers.fetch = function (request, ...rest) {
  const host = (request.headers.get("host") ?? "").toLowerCase().replace(/:\\d+$/, "");
  if (${THIS_MACHINE}.test(host)) return fetch.call(this, request, ...rest);
  const text = "npm run dev answers as localhost, 127.0.0.1, [::1] and *.localhost only, not as '" + host + "': a page of that name could read and change the data. Open its address as it printed it.\\n";
  return new Response(text, { status: 403 });
};
`;
