/** Annotations of versions and deployments, by Cloudflare's rules. */
import { invalid } from "./errors.ts";

/** The most bytes of a version's tag. */
const MOST_OF_TAG = 100;
/** The bytes that Cloudflare keeps of a message. */
const KEPT_OF_MESSAGE = 1_000;

/**
 * Those that are text, with the message cut where it is too long. Clients send null, or nothing, for those that are not
 * set. @throws ApiError 10021 if the tag is too long
 */
export function annotationsOf(
  sent: Readonly<Record<string, string | null | undefined>> | null | undefined,
): Record<string, string> {
  const texts = Object.entries(sent ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts.map(([name, text]) => [name, checked(name, text)]));
}

function checked(name: string, text: string): string {
  if (name === "workers/message") return cut(text, KEPT_OF_MESSAGE);
  const bytes = Buffer.byteLength(text);
  if (name === "workers/tag" && bytes > MOST_OF_TAG)
    throw invalid(`annotations.workers/tag: it has ${bytes} bytes; at most ${MOST_OF_TAG} are allowed.`);
  return text;
}

/** The beginning of a text, of whole characters. */
const cut = (text: string, bytes: number): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(text).subarray(0, bytes), { stream: true });
