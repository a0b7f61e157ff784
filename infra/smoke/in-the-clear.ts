/** No admin token goes over a network without TLS. */
import { UserError } from "../common/user-error.ts";

/** This machine, by its names. */
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|(.+\.)?localhost)$/;

/** @throws UserError where the token would be readable on its way. */
export function mustStaySecret(url: URL, adminToken: string | undefined): void {
  if (adminToken === undefined || url.protocol === "https:" || LOOPBACK.test(url.hostname)) return;
  throw new UserError(
    `The admin token would go to ${url.origin} where anybody on the way can read it. Name the address with https://; a Worker of another machine that has none, through a tunnel (ssh -L) to a port of 127.0.0.1; or try it without the token (unset ADMIN_TOKEN).`,
  );
}
