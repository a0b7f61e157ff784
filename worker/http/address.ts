/**
 * The key that limits a caller's network address: an IPv4 address, or the /64 of an IPv6 address. A subscriber has at
 * least a /64 (RFC 6177), and could otherwise use a new address for each request.
 */
import type { Context } from "hono";
import type { App } from "./context.ts";

/** The key of the request's network address. All requests without an address share one key. */
export function addressOf(c: Context<App>): string {
  return addressKey(c.req.header("CF-Connecting-IP") ?? "") ?? "unknown";
}

/** The key; undefined if the text is not an IP address. IPv4 written as IPv6 (RFC 4291, 2.5.5.2) counts as IPv4. */
export function addressKey(text: string): string | undefined {
  if (ipv4(text)) return text;
  const groups = ipv6(text.toLowerCase());
  if (!groups) return undefined;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** The four bytes, if the text is a dotted quad without leading zeros. */
function ipv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map(Number);
}

/** The eight groups of 16 bits, if the text is an IPv6 address. One with a zone (`%eth0`) is not. */
function ipv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => (half === "" ? [] : groupsOf(half, index === halves.length - 1)));
  if (!head) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  // "::" stands for at least one group of zeros.
  if (!tail || head.length + tail.length > 7) return undefined;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** The groups between colons. At the end of the address, a dotted quad counts as two. */
function groupsOf(text: string, atEnd: boolean): number[] | undefined {
  const parts = text.split(":");
  const quad = atEnd ? ipv4(parts.at(-1) ?? "") : undefined;
  const hex = quad ? parts.slice(0, -1) : parts;
  if (!hex.every((part) => /^[0-9a-f]{1,4}$/.test(part))) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = quad ?? [];
  return [...hex.map((part) => Number.parseInt(part, 16)), ...(quad ? [a * 256 + b, c * 256 + d] : [])];
}
