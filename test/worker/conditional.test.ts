/** Conditional and partial requests by RFC 9110, with any headers. */
import { describe, expect, it } from "vitest";
import { decide } from "../../worker/http/conditional.ts";
import { fc } from "../properties.ts";

const file = { etag: '"a1"', size: 10 };
const asked = (headers: Record<string, string>) => decide(new Headers(headers), file);

describe("a request for a file", () => {
  it.each<[Record<string, string>, ReturnType<typeof decide>]>([
    [{}, { status: 200 }],
    [{ "If-None-Match": '"a1"' }, { status: 304 }],
    [{ "If-None-Match": 'W/"a1"' }, { status: 304 }],
    [{ "If-None-Match": '"x", "a1"' }, { status: 304 }],
    [{ "If-None-Match": "*" }, { status: 304 }],
    [{ "If-None-Match": '"x"' }, { status: 200 }],
    [{ "If-None-Match": "a1" }, { status: 200 }],
    [{ "If-None-Match": "" }, { status: 200 }],
    [{ "If-Match": '"a1"' }, { status: 200 }],
    [{ "If-Match": "*" }, { status: 200 }],
    [{ "If-Match": 'W/"a1"' }, { status: 412 }],
    [{ "If-Match": '"x"' }, { status: 412 }],
    [{ "If-Match": "abc" }, { status: 412 }],
    [{ "If-Match": '"x"', "If-None-Match": '"a1"' }, { status: 412 }],
    [{ Range: "bytes=2-4" }, { status: 206, part: { from: 2, to: 4 } }],
    [{ Range: "bytes=2-" }, { status: 206, part: { from: 2, to: 9 } }],
    [{ Range: "bytes=-3" }, { status: 206, part: { from: 7, to: 9 } }],
    [{ Range: "bytes=-30" }, { status: 206, part: { from: 0, to: 9 } }],
    [{ Range: "bytes=0-99" }, { status: 206, part: { from: 0, to: 9 } }],
    [{ Range: "BYTES=0-0" }, { status: 206, part: { from: 0, to: 0 } }],
    [{ Range: "bytes=10-" }, { status: 416 }],
    [{ Range: "bytes=-0" }, { status: 416 }],
    [{ Range: "bytes=99999999999999999999-" }, { status: 416 }],
    [{ Range: "bytes=4-2" }, { status: 200 }],
    [{ Range: "bytes=-" }, { status: 200 }],
    [{ Range: "bytes=0-1,4-5" }, { status: 200 }],
    [{ Range: "lines=1-2" }, { status: 200 }],
    [{ Range: "nonsense" }, { status: 200 }],
    [
      { Range: "bytes=2-4", "If-Range": '"a1"' },
      { status: 206, part: { from: 2, to: 4 } },
    ],
    [{ Range: "bytes=2-4", "If-Range": 'W/"a1"' }, { status: 200 }],
    [{ Range: "bytes=2-4", "If-Range": '"x"' }, { status: 200 }],
    [{ Range: "bytes=2-4", "If-Range": "Thu, 26 Nov 2026 10:00:00 GMT" }, { status: 200 }],
    [{ Range: "bytes=2-4", "If-None-Match": '"a1"' }, { status: 304 }],
  ])("with %j is answered %j", (headers, decision) => expect(asked(headers)).toEqual(decision));

  it("is never answered with bytes outside of the file", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]{0,40}$/), fc.integer({ min: 1, max: 1_000 }), (text, size) => {
        for (const range of [text, `bytes=${text}`]) {
          const decision = decide(new Headers({ Range: range }), { ...file, size });
          if (decision.status !== 206) continue;
          const { from, to } = decision.part;
          expect(0 <= from && from <= to && to < size).toBe(true);
        }
      }),
    );
  });
});
