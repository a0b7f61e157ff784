/**
 * What a document says, for readers without Yjs: as JSON or as text. A document does not store the types of its shared
 * parts, only what is in them, so the type is read from that. It is only read: asking Yjs for a type would fix it.
 */
import * as Y from "yjs";

/** A part that is nested deeper is not read. */
const MAX_NESTED = 100;
/** A part within XML that is none counts as so many levels: its JSON is text there, which doubles what is escaped in it. */
const IN_XML = 50;
/** The most characters of an answer, which may take two bytes each: a call of an object returns at most 32 MiB. */
const MAX_LENGTH = 15 * 1_024 * 1_024;

/** The document is nested too deep for this form, or too long in it. */
export class TooDeep extends Error {}

/**
 * All shared parts by name, as JSON: a text as a string, a list as an array, a map as an object, XML as a string. A
 * whole number of any size (BigInt) is a string, and bytes are `{ "base64": … }`.
 */
export function jsonOf(doc: Y.Doc): string {
  const parts = partsIn(doc).map(([name, type]): [string, unknown] => [name, partOf(type, 0)]);
  return jsonText(Object.fromEntries(parts));
}

const jsonText = (value: unknown): string => fitting(JSON.stringify(value, withoutJsonOfItsOwn) ?? "");

function fitting(text: string): string {
  if (text.length > MAX_LENGTH) throw new TooDeep();
  return text;
}

function withoutJsonOfItsOwn(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? { base64: value.toBase64() } : value;
}

/** A value in the middle of a text. Not `String`: a client's object may have a `toString` that is no function. */
const inText = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "bigint" ? value.toString() : jsonText(value);

/** The text of one shared part, or of all of them: the text in it, with a line for each paragraph. */
export function plainOf(doc: Y.Doc, name?: string): string {
  const types = name === undefined ? partsIn(doc).map(([, type]) => type) : [doc.share.get(name)];
  return types.flatMap((type) => (type ? [textIn(type, 0)] : [])).join("\n");
}

/** The shared parts in which there ever was something. Yjs makes others in passing, when it reads an update. */
const partsIn = (doc: Y.Doc) => [...doc.share].filter(([, type]) => type._start !== null || type._map.size > 0);

type Shared = NonNullable<ReturnType<Y.Doc["share"]["get"]>>;

function partOf(type: Shared, depth: number): unknown {
  if (depth > MAX_NESTED) throw new TooDeep();
  const items = itemsOf(type);
  if (isXml(type)) return xmlOf(type, depth);
  if (isText(type, items)) return textIn(type, depth);
  if (type instanceof Y.Map || type._map.size > 0) {
    return Object.fromEntries(entriesOf(type, depth));
  }
  const first = items[0]?.content;
  const isOfXml = first instanceof Y.ContentType && isXml(first.type);
  const values = items.flatMap((item) => valuesOf(item, depth, isOfXml));
  return isOfXml ? values.map(inText).join("") : values;
}

const entriesOf = ({ _map }: Pick<Shared, "_map">, depth: number): [string, unknown][] =>
  [..._map].flatMap(([key, item]) => (item.deleted ? [] : [[key, valuesOf(item, depth).at(-1)]]));

function valuesOf({ content }: Y.Item, depth: number, isInXml = false): unknown[] {
  if (content instanceof Y.ContentType)
    return [partOf(content.type, depth + (isInXml && !isXml(content.type) ? IN_XML : 1))];
  if (content instanceof Y.ContentDoc) return [{ guid: content.doc.guid }];
  if (content instanceof Y.ContentBinary) return [{ base64: content.content.toBase64() }];
  return content.getContent();
}

function xmlOf(type: Shared, depth: number): string {
  let inner = "";
  for (const item of itemsOf(type)) {
    const { content } = item;
    if (content instanceof Y.ContentType) inner += valuesOf(item, depth, true).map(inText).join("");
    else if (content instanceof Y.ContentString) inner += escaped(content.str);
    fitting(inner);
  }
  if (!(type instanceof Y.XmlElement)) return inner;
  const attributes = entriesOf(type, depth + IN_XML).map(([key, value]) => ` ${key}="${escaped(inText(value))}"`);
  return `<${type.nodeName}${attributes.join("")}>${inner}</${type.nodeName}>`;
}

function textIn(type: Shared, depth: number): string {
  if (depth > MAX_NESTED) throw new TooDeep();
  const items = itemsOf(type);
  const hasAttributes = isXml(type) || isText(type, items);
  const mapped = hasAttributes ? [] : [...type._map.values()].filter((item) => !item.deleted);
  let text = "";
  for (const { content } of [...items, ...mapped]) {
    if (content instanceof Y.ContentString) text += content.str;
    else if (content instanceof Y.ContentType) {
      const inner = textIn(content.type, depth + 1);
      const isInline = content.type instanceof Y.XmlText || text === "" || text.endsWith("\n");
      text += isInline ? inner : `\n${inner}`;
    } else if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
      for (const value of content.getContent()) if (typeof value === "string") text += `${text && "\n"}${value}`;
    }
  }
  return text;
}

/** What is in a list or a text, without what was deleted. */
function itemsOf(type: Shared): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = type._start; item; item = item.right) if (!item.deleted) items.push(item);
  return items;
}

const isXml = (type: Shared) =>
  type instanceof Y.XmlElement || type instanceof Y.XmlFragment || type instanceof Y.XmlText;

/** Whether it is a text. It may have attributes besides, which look like the entries of a map. */
const isText = (type: Shared, items: readonly Y.Item[]) =>
  type instanceof Y.Text || (items.length > 0 && items.every(isOfText));

const isOfText = ({ content }: Y.Item) =>
  content instanceof Y.ContentString || content instanceof Y.ContentFormat || content instanceof Y.ContentEmbed;

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
