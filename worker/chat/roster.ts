/**
 * Who has which sockets, in memory. To list its sockets, an object makes a new list and a call for each socket. A room
 * of a thousand that did this at every join would do little else, so it does it once after it wakes, and then keeps
 * count.
 */

/** What the list needs to know of a socket's owner. */
export interface Owner {
  readonly userId: string;
  readonly address?: string | undefined;
}

export class Roster<Member extends Owner> {
  readonly #members = new Map<WebSocket, Member>();
  readonly #ofUser = new Map<string, Set<WebSocket>>();
  /** Sockets by user and by address, with those that wait for their client to answer the close. */
  readonly #held = new Map<string, number>();

  /** All sockets that have not left. One may have begun to close. */
  get sockets(): Iterable<WebSocket> {
    return this.#members.keys();
  }

  get size(): number {
    return this.#members.size;
  }

  /** Everybody, each once, in the order in which they came. */
  get people(): Iterable<string> {
    return this.#ofUser.keys();
  }

  get peopleCount(): number {
    return this.#ofUser.size;
  }

  get(socket: WebSocket): Member | undefined {
    return this.#members.get(socket);
  }

  ofUser(userId: string): Iterable<WebSocket> {
    return this.#ofUser.get(userId) ?? [];
  }

  /** How many sockets are held under a user's or an address's tag. */
  held(tag: string): number {
    return this.#held.get(tag) ?? 0;
  }

  hold(tags: readonly string[]): void {
    for (const tag of tags) this.#held.set(tag, this.held(tag) + 1);
  }

  letGo(tags: readonly string[]): void {
    for (const tag of tags) {
      const left = this.held(tag) - 1;
      if (left > 0) this.#held.set(tag, left);
      else this.#held.delete(tag);
    }
  }

  /** Replaces what is known of a socket; does nothing if it has left. Its user stays the same. */
  update(socket: WebSocket, member: Member): void {
    if (this.#members.has(socket)) this.#members.set(socket, member);
  }

  add(socket: WebSocket, member: Member): void {
    this.#members.set(socket, member);
    const others = this.#ofUser.get(member.userId);
    if (others) others.add(socket);
    else this.#ofUser.set(member.userId, new Set([socket]));
  }

  /** A socket has left. */
  remove(socket: WebSocket): void {
    const member = this.#members.get(socket);
    if (!member) return;
    this.#members.delete(socket);
    const others = this.#ofUser.get(member.userId);
    others?.delete(socket);
    if (others?.size === 0) this.#ofUser.delete(member.userId);
  }
}
