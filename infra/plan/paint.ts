/** Colour for text that people read, where they see it. */
import { styleText } from "node:util";

export type Tone = "added" | "removed" | "changed" | "strong" | "faint";

/** Gives text a tone. */
export type Paint = (tone: Tone, text: string) => string;

/** No colour: for files, pipes and tests. */
export const noColors: Paint = (_, text) => text;

const FORMATS = { added: "green", removed: "red", changed: "yellow", strong: "bold", faint: "dim" } as const;

/** Colour where `stream` is a terminal that shows it; NO_COLOR and FORCE_COLOR are respected. */
export const terminalColors =
  (stream: NodeJS.WritableStream): Paint =>
  (tone, text) =>
    styleText(FORMATS[tone], text, { stream });

/** The engine's own tags (pulumi/sdk/go/common/diag/colors), which it shows as colour or takes away. */
const TAGS = { added: "fg 2", removed: "fg 1", changed: "fg 3", strong: "bold", faint: "fg 8" } as const;

/** Colour in messages to the Pulumi engine. */
export const engineColors: Paint = (tone, text) => `<{%${TAGS[tone]}%}>${text}<{%reset%}>`;
