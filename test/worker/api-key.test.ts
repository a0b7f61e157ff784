/** The form of API keys. */
import { describe, expect, it } from "vitest";
import { API_KEY_PREFIX, storedAt } from "../../contract/api-keys.ts";

describe("the form of an API key", () => {
  it("is looked up by its SHA-256, and anything else is not looked up", async () => {
    const key = `ds_${"A".repeat(43)}`;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
    expect(await storedAt(key)).toBe(`${API_KEY_PREFIX}${new Uint8Array(digest).toHex()}`);
    for (const other of ["", "ds_", key.slice(1), `${key}A`, `${key}\n`, key.replace("A", "=")]) {
      expect(await storedAt(other)).toBeUndefined();
    }
  });
});
