/** What one panel tells the others of the visitor, without knowing them. */

const listeners: (() => void)[] = [];

/** Calls `listener` when the visitor has become somebody else: logged in, or logged out. */
export function onIdentity(listener: () => void): void {
  listeners.push(listener);
}

/** The visitor has become somebody else. */
export function identityChanged(): void {
  for (const listener of listeners) listener();
}

/** The admin token that the visitor gave, or "", and in which panel it is asked for. */
export const admin = { token: tokenOfAddress(), askedIn: "" };

/** The token behind the # of the address that `npm start` prints. It goes out of the address at once. */
function tokenOfAddress(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("admin");
  if (given === null) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return given;
}
