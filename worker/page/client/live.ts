/**
 * A WebSocket that reconnects after every cut, with a longer wait each time, and notices a dead connection.
 */
import { call, socketUrl, waitOf } from "./api.ts";

const FIRST_WAIT_MS = 500;
/** Every attempt costs a token of the rate limiter. */
const LONGEST_WAIT_MS = 15_000;
const PING_EVERY_MS = 25_000;

export interface Live {
  /** Whether the socket is live. `reason`: why not, if the Worker has said. */
  state(live: boolean, reason: string): void;
  frame(data: unknown): void;
}

/**
 * Connects. Call the returned function to end it. A browser does not say why a socket was refused, so this asks
 * `reasonAt` over HTTP. An invalid id is not tried again.
 */
export function live(path: string, reasonAt: string, on: Live): () => void {
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  /** Whether the Worker has answered why there is no socket. If nobody answers, the page's banner says so. */
  let isAnswered = false;
  let ended = false;

  const connect = () => {
    clearTimeout(timer);
    const mine = new WebSocket(socketUrl(path));
    socket = mine;
    let opened = false;
    let heard = true;
    const ping = setInterval(() => {
      if (!heard) return void lost();
      heard = false;
      if (opened) mine.send("ping");
    }, PING_EVERY_MS);
    const lost = async () => {
      clearInterval(ping);
      if (socket !== mine) return;
      socket = undefined;
      mine.close();
      on.state(false, "");
      const wait = Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
      const answer = opened || isAnswered ? undefined : await call(reasonAt);
      if (ended || socket) return;
      if (answer?.status) {
        isAnswered = true;
        if (!answer.ok) on.state(false, answer.message);
        if (answer.status === 400) return;
      }
      timer = setTimeout(connect, Math.max(wait, answer ? waitOf(answer) : 0));
    };
    mine.addEventListener("open", () => {
      opened = true;
      isAnswered = false;
      failures = 0;
      on.state(true, "");
    });
    mine.addEventListener("message", ({ data }) => {
      heard = true;
      if (socket === mine && data !== "pong") on.frame(JSON.parse(String(data)));
    });
    mine.addEventListener("close", lost);
  };
  const online = () => {
    if (!socket) connect();
  };

  connect();
  addEventListener("online", online);
  return () => {
    ended = true;
    removeEventListener("online", online);
    clearTimeout(timer);
    const last = socket;
    socket = undefined;
    last?.close();
  };
}
