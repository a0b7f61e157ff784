/** The measures of documents: edits that fifty people make at once, and a document with a long past. */
import * as v from "valibot";
import type { PatternBench } from "../bench/measure.ts";

const Large = v.object({
  edits: v.number(),
  /** Rows and bytes that were written for them. */
  rows: v.number(),
  written: v.number(),
  /** What the document comes to. */
  bytes: v.number(),
  /** From a call to an object that is not in memory to its answer with the whole document. */
  openMs: v.number(),
  isSame: v.boolean(),
});

export const bench: PatternBench = {
  measures: [{ title: "edits/s of a document, 50 sockets", subject: "document", concurrency: 50, timesNaive: 1 }],
  classes: {
    NAIVE_DOCUMENT: "NaiveDocument",
    FLOOR_DOCUMENT: "FloorDocument",
    COUNTED_DOCUMENT: "CountedDocument",
  },
  visit: {
    subject: "large-document",
    async run(url) {
      const large = v.parse(Large, await (await fetch(url)).json());
      const { edits, rows, written, bytes, openMs, isSame } = large;
      const each = (value: number) => (value / edits).toFixed(2);
      const line = `A document with ${edits.toLocaleString("en")} edits: opens in ${openMs} ms, ${Math.round(bytes / 1_024)} KiB; an edit wrote ${each(rows)} rows and ${each(written)} bytes.`;
      return { line, figures: large, ...(!isSame && { wrong: "a large document: edits were lost" }) };
    },
  },
};
