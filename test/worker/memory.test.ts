/** What an isolate remembers. */
import { describe, expect, it } from "vitest";
import { Memory } from "../../worker/objects/memory.ts";

describe("the memory of an isolate", () => {
  it("is bounded: the oldest entry goes first", () => {
    const memory = new Memory<number>();
    for (let i = 0; i <= 10_000; i++) memory.set(`${i}`, i, 10);
    expect(memory.get("0", 0)).toBeUndefined();
    expect(memory.get("1", 0)).toBe(1);
    expect(memory.get("10000", 0)).toBe(10_000);
    expect(memory.get("1", 10)).toBeUndefined();
  });
});
