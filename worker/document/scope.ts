/**
 * Whether an update stays within one shared part of a document: for people who may comment and change nothing else. An
 * edit says where it is by its neighbours, which are in the document or in the same update. When in doubt the answer is
 * no.
 */
import * as Y from "yjs";

/**
 * `part`: the name of the shared part. The update must be whole (copy.ts). `isOfAnother`: whether a client belongs to
 * somebody else, whose next edits would be lost if this update had edits under the same numbers.
 */
export function staysWithin(
  part: string,
  doc: Y.Doc,
  update: Uint8Array,
  isOfAnother: (client: number) => boolean = () => false,
): boolean {
  try {
    return new Scope(part, doc, update).holds(isOfAnother);
  } catch {
    // It refers to what is nowhere, or its edits hang together in too long a chain.
    return false;
  }
}

class Scope {
  readonly #part: string;
  readonly #doc: Y.Doc;
  readonly #update: ReturnType<typeof Y.decodeUpdate>;
  /** The edits of the update by client, in their order. */
  readonly #structs = new Map<number, (Y.Item | Y.GC)[]>();
  readonly #verdicts = new Map<Y.Item, boolean>();

  constructor(part: string, doc: Y.Doc, update: Uint8Array) {
    this.#part = part;
    this.#doc = doc;
    this.#update = Y.decodeUpdate(update);
    for (const struct of this.#update.structs) {
      if (struct instanceof Y.Skip) continue;
      const structs = this.#structs.get(struct.id.client);
      if (structs) structs.push(struct);
      else this.#structs.set(struct.id.client, [struct]);
    }
  }

  holds(isOfAnother: (client: number) => boolean): boolean {
    const { structs, ds } = this.#update;
    for (const [client, edits] of this.#structs) {
      const isNew = edits.some((edit) => !this.#isKnown(edit));
      if (isNew && (isOfAnother(client) || this.#editsElsewhere(client))) return false;
    }
    // What is no item has no content.
    const items = structs.filter((struct) => struct instanceof Y.Item);
    if (!items.every((item) => this.#isKnown(item) || this.#isWithin(item))) return false;
    return [...ds.clients].every(([client, ranges]) => ranges.every((range) => this.#deletesWithin(client, range)));
  }

  /** Whether the document has it already, so that it changes nothing. */
  #isKnown({ id, length }: Y.Item | Y.GC): boolean {
    return id.clock + length <= Y.getState(this.#doc.store, id.client);
  }

  /** Whether the last edit of a client that is still known was elsewhere in the document. */
  #editsElsewhere(client: number): boolean {
    const last: unknown = this.#doc.store.clients.get(client)?.findLast((struct) => struct instanceof Y.Item);
    return last instanceof Y.Item && !this.#isInPart(last);
  }

  /** Whether an edit of the update is in the part. */
  #isWithin(item: Y.Item): boolean {
    const known = this.#verdicts.get(item);
    if (known !== undefined) return known;
    // Until it is found out, which also ends a circle.
    this.#verdicts.set(item, false);
    const { parent, origin, rightOrigin } = item;
    const neighbours = [origin, rightOrigin, parent instanceof Y.ID ? parent : null].filter((id) => id !== null);
    const isInPart =
      (typeof parent === "string" ? parent === this.#part : neighbours.length > 0) &&
      neighbours.every((id) => this.#hasWithin(id));
    this.#verdicts.set(item, isInPart);
    return isInPart;
  }

  /** Whether the edit with this id is in the part. */
  #hasWithin(id: Y.ID): boolean {
    if (id.clock < Y.getState(this.#doc.store, id.client)) {
      const item: unknown = Y.getItem(this.#doc.store, id);
      return item instanceof Y.Item && this.#isInPart(item);
    }
    const structs = this.#structs.get(id.client) ?? [];
    const found = structs[Y.findIndexSS(structs, id.clock)];
    return found instanceof Y.Item && this.#isWithin(found);
  }

  /** Whether what a range deletes is in the part. What is deleted already does not count. */
  #deletesWithin(client: number, { clock, len }: { readonly clock: number; readonly len: number }): boolean {
    const structs = this.#doc.store.clients.get(client) ?? [];
    if (clock >= Y.getState(this.#doc.store, client)) return true;
    for (let i = Y.findIndexSS(structs, clock); i < structs.length; i++) {
      const struct = structs[i];
      if (!struct || struct.id.clock >= clock + len) break;
      if (struct instanceof Y.Item && !struct.deleted && !this.#isInPart(struct)) return false;
    }
    return true;
  }

  /** The same for an edit of the document. */
  #isInPart(item: Y.Item): boolean {
    let { parent } = item;
    while (parent instanceof Y.AbstractType && parent._item) parent = parent._item.parent;
    return parent instanceof Y.AbstractType && this.#doc.share.get(this.#part) === parent;
  }
}
