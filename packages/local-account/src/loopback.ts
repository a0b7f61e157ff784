/** By which names a server on this machine knows itself. Under any other, a page of that name could call it. */

/** A host of a request without its port, in lower case. A name could be anybody's, and resolve to this machine. */
export const LOOPBACK = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/;

/** The same, and the names below localhost, which nobody else can own: the Workers of an account have such. */
export const THIS_MACHINE = /^((.+\.)?localhost|\[::1\]|127(\.\d{1,3}){3})$/;
