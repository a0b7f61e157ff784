/** By which names a server on this machine knows itself. Under any other, a page of that name could call it. */

/** A host of a request without its port, in lower case. A name could be anybody's, and resolve to this machine. */
export const LOOPBACK = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/;
