/** Which network addresses count as one caller. */
import { describe, expect, it } from "vitest";
import { addressKey } from "../../worker/http/address.ts";

describe("the key of a network address", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["0:0:0:0:0:FFFF:203.0.113.7", "203.0.113.7"],
    ["64:ff9b::203.0.113.7", "64:ff9b:0:0::/64"],
  ])("of %s is %s", (text, key) => expect(addressKey(text)).toBe(key));

  it.each([
    "",
    "unknown",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "01.2.3.4",
    "1.2.3.4 ",
    ":::",
    "1::2::3",
    "2001:db8::g",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "::1.2.3.4:5",
    "fe80::1%eth0",
    "12345::",
    "1.2.3.4::",
  ])("does not exist for %j", (text) => expect(addressKey(text)).toBeUndefined());
});
