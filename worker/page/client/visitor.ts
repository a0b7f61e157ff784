/** What the panels share about the visitor: the identity, what their browser allows, and the admin token. */

const listeners: (() => void)[] = [];

/** Calls `listener` when the visitor has logged in or out. */
export function onIdentity(listener: () => void): void {
  listeners.push(listener);
}

/** Call it when the visitor has logged in or out. */
export function identityChanged(): void {
  for (const listener of listeners) listener();
}

/** What `get` gives; undefined where the browser denies it, such as to a visitor who blocks cookies and stored data. */
export function allowed<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** The admin token that the visitor entered, or "". */
export const admin = { token: tokenOfAddress() };

/** The token behind the # of the address that `npm start` prints. Removes it from the address at once. */
function tokenOfAddress(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("admin");
  if (given === null) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return given;
}
