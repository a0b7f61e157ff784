/** Prints the outcomes as a table and a chart. */
import { type Machine, machineText } from "./machine.ts";
import type { Visited } from "./measure.ts";
import type { Outcome, Rate } from "./run.ts";
import { percent } from "./run.ts";

const number = new Intl.NumberFormat("en-US");
const spread = ({ median, min, max }: Rate) =>
  `${number.format(median)} (${number.format(min)} to ${number.format(max)})`;

/** A Markdown table that is also readable in a terminal. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ measure, naive, ours, floor }) => [
    measure.title,
    String(measure.concurrency),
    spread(naive),
    spread(ours),
    spread(floor),
    `${(ours.median / naive.median).toFixed(1)} × (≥ ${measure.timesNaive})`,
    `${percent(ours.median / floor.median)}${measure.shareOfFloor ? ` (≥ ${percent(measure.shareOfFloor)})` : ""}`,
  ]);
  const header = ["measure", "c", "the article's way", "ours", "floor", "× article", "of the floor"];
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** The published results: the figures, and where and when they were measured. */
export interface Results {
  date: string;
  machine: Machine;
  outcomes: readonly Outcome[];
  /** The figures from outside the Worker, by subject. */
  visited: Readonly<Record<string, Visited["figures"]>>;
}

/** The published page, which `npm run bench -- --publish` writes. `lines`: the results from outside, in words. */
export function page({ date, machine, outcomes }: Results, lines: readonly string[]): string {
  return `# Figures
Written by \`npm run bench -- --publish\` on ${date}: ${machineText(machine)}, ${machine.memoryGiB} GiB of memory. What they mean is in [bench.md](../bench.md).

${table(outcomes)}

![The same figures as bars](chart.svg)

${lines.join("\n\n")}
`;
}

const BAR = 14;
const GROUP = 3 * BAR + 22;
const TOP = 64;
const BARS_WIDTH = 420;
/** Room for the number behind the longest bar. */
const NUMBERS = 90;
/** The width of a character of the titles, and of what is below them: those of a wide font. */
const TITLE_PX = 7.8;
const VALUE_PX = 6.6;

/** What ours is beside: in the legend, and for each measure. */
interface Beside {
  readonly legend: string;
  readonly names?: readonly string[];
}

/** A bar chart, in light and dark. Each measure has its own scale: the floor, or the fastest, has the full width. */
export function chart(outcomes: readonly Outcome[], { legend: other, names = [] }: Beside): string {
  const height = TOP + outcomes.length * GROUP + 8;
  const labels = outcomes.map(({ measure, naive, ours }, index) => ({
    title: `${measure.title}, c=${measure.concurrency}`,
    times: `${(ours.median / naive.median).toFixed(2)} × ${names[index] ?? other}`,
  }));
  const widths = labels.map(({ title, times }) => Math.max(title.length * TITLE_PX, times.length * VALUE_PX));
  const left = Math.ceil(Math.max(...widths)) + 16;
  const width = left + BARS_WIDTH + NUMBERS;
  const groups = outcomes.map(({ naive, ours, floor }, index) => {
    const y = TOP + index * GROUP;
    const bars = [
      { kind: "naive", rate: naive },
      { kind: "ours", rate: ours },
      { kind: "floor", rate: floor },
    ];
    const longest = Math.max(...bars.map(({ rate }) => rate.median));
    const drawn = bars.map(({ kind, rate }, i) => {
      const long = Math.max((rate.median / longest) * BARS_WIDTH, 1).toFixed(1);
      const top = y + i * BAR;
      return [
        `<rect class="${kind}" x="${left}" y="${top}" width="${long}" height="${BAR - 3}" rx="2"/>`,
        `<text class="value" x="${left + Number(long) + 6}" y="${top + BAR - 5}">${number.format(rate.median)}</text>`,
      ].join("");
    });
    return [
      `<text x="${left - 12}" y="${y + 11}" text-anchor="end">${labels[index]?.title}</text>`,
      `<text class="value" x="${left - 12}" y="${y + 27}" text-anchor="end">${labels[index]?.times}</text>`,
      ...drawn,
    ].join("\n");
  });
  const legend = [
    { kind: "naive", text: other, at: 0 },
    { kind: "ours", text: "ours", at: 140 },
    { kind: "floor", text: "an object that stores nothing", at: 205 },
  ].map(({ kind, text, at }) => {
    const x = left + at;
    return `<rect class="${kind}" x="${x}" y="36" width="11" height="11" rx="2"/><text x="${x + 17}" y="46">${text}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Operations per second: ${other}, ours, and an object that stores nothing">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2933; } .title { font-weight: 600; font-size: 15px; } .value { font-size: 11px; fill: #5b6773; }
  .naive { fill: #b8c0c8; } .ours { fill: #d9480f; } .floor { fill: #5b6773; }
  @media (prefers-color-scheme: dark) { text { fill: #e4e9ee; } .value { fill: #a3aeb8; } .naive { fill: #56616c; } .ours { fill: #ff7b3d; } .floor { fill: #a3aeb8; } }
</style>
<text class="title" x="${left}" y="22">Operations per second, in workerd</text>
${legend.join("\n")}
${groups.join("\n")}
</svg>
`;
}
