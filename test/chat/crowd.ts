/** A full room: a thousand sockets from outside, a stream of messages, and a check of what each socket got. */
import { WebSocket } from "ws";

const SOCKETS = 1_000;
const SPEAKERS = 10;
const MESSAGES_PER_SPEAKER = 10;
/** The pause between two messages of a speaker, which keeps to the room's limit. */
const PAUSE_MS = 500;
const JOINING_AT_ONCE = 50;

export interface Crowd {
  readonly sockets: number;
  readonly messages: number;
  /** How many messages arrived, and how many should have. */
  readonly received: number;
  readonly expected: number;
  /** Sockets that did not get every message once and in order. */
  readonly wrong: number;
  /** The time from sending to receiving, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** workerd's memory with a full room, in MiB; undefined if the system does not tell. */
  readonly memoryMiB: number | undefined;
}

const number = new Intl.NumberFormat("en-US");

/** The result in one line. */
export function crowdLine(crowd: Crowd): string {
  const { sockets, messages, received, expected, wrong, p50, p99, memoryMiB } = crowd;
  return (
    `A room of ${number.format(sockets)}: ${messages} messages, ${number.format(received)} of ` +
    `${number.format(expected)} received, ${wrong} sockets with a gap or a repetition; latency p50 ${p50} ms, ` +
    `p99 ${p99} ms; workerd ${memoryMiB ?? "?"} MiB.`
  );
}

/** Fills a room, sends messages in it, and counts. */
export async function runCrowd(url: string, memory: () => number | undefined): Promise<Crowd> {
  const members: Member[] = [];
  while (members.length < SOCKETS) {
    const joining = Array.from({ length: JOINING_AT_ONCE }, (_, i) => Member.join(url, `user-${members.length + i}`));
    members.push(...(await Promise.all(joining)));
  }
  // A thousand joins were announced. The measure begins when all of that has arrived.
  await Promise.all(members.map((member) => member.settled()));
  const speakers = members.slice(0, SPEAKERS);
  const messages = SPEAKERS * MESSAGES_PER_SPEAKER;
  for (let i = 0; i < MESSAGES_PER_SPEAKER; i++) {
    for (const speaker of speakers) speaker.say();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await Promise.all(members.map((member) => member.heard(messages)));
  const memoryMiB = memory();
  const latencies = members.flatMap(({ latencies }) => latencies).sort((a, b) => a - b);
  const at = (share: number) => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 10) / 10;
  for (const member of members) member.leave();
  return {
    sockets: members.length,
    messages,
    received: latencies.length,
    expected: members.length * messages,
    wrong: members.filter((member) => !member.isInOrder(messages)).length,
    p50: at(0.5),
    p99: at(0.99),
    memoryMiB,
  };
}

class Member {
  readonly latencies: number[] = [];
  readonly #socket: WebSocket;
  readonly #seqs: number[] = [];
  #wake = () => {};
  #pong = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === "pong") this.#pong();
      if (frame.type !== "message") return;
      this.latencies.push(performance.now() - Number(frame.message.text));
      this.#seqs.push(frame.message.seq);
      this.#wake();
    });
  }

  static join(url: string, userId: string): Promise<Member> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}?user=${userId}`);
    const member = new Member(socket);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(member));
      socket.on("error", reject);
    });
  }

  /** Resolves when everything sent so far has arrived. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#pong = resolve;
      this.#socket.send('{"type":"ping"}');
    });
  }

  /** Sends a message with the time of sending. */
  say(): void {
    this.#socket.send(JSON.stringify({ type: "chat", text: String(performance.now()) }));
  }

  /** Resolves when so many messages have arrived, or some time after the last one. */
  heard(count: number): Promise<void> {
    return new Promise((resolve) => {
      const patience = setTimeout(resolve, 30_000);
      this.#wake = () => {
        if (this.#seqs.length < count) return;
        clearTimeout(patience);
        resolve();
      };
      this.#wake();
    });
  }

  isInOrder(count: number): boolean {
    const [first = 0] = this.#seqs;
    return this.#seqs.length === count && this.#seqs.every((seq, i) => seq === first + i);
  }

  leave(): void {
    this.#socket.terminate();
  }
}
