/** No admin token goes over a network without TLS. */
import { THIS_MACHINE } from "@durable-stack/local-account/loopback";
import { UserError } from "../common/user-error.ts";

/** `without`: how to do without the token, where the caller can. @throws UserError where it would be readable on its way. */
export function mustStaySecret(url: URL, adminToken: string | undefined, without?: string): void {
  const isHere = THIS_MACHINE.test(url.hostname);
  if (adminToken === undefined || url.protocol === "https:" || isHere) return;
  const other = without === undefined ? "" : ` Or try it without the token: ${without}.`;
  throw new UserError(
    `The admin token would go to ${url.origin} where anybody on the way can read it. Name the address with https://; a Worker of another machine that has none, through a tunnel (ssh -L) to a port of 127.0.0.1.${other}`,
  );
}
