/** The chat room's panel: who is here, the messages, and a switch that cuts the connection. */
import { call, socketUrl } from "../../page/client/api.ts";
import { curl } from "../../page/client/curl.ts";
import { element, onSubmit } from "../../page/client/dom.ts";
import { onName } from "../../page/client/names.ts";
import { Panel } from "../../page/client/panel.ts";
import { onIdentity } from "../../page/client/visitor.ts";
import { Cable } from "./cable.ts";
import { ChatClient, type ChatEvent, type Unsent } from "./client.ts";
import { ChatLog, nameOf } from "./log.ts";

/** A typing sign comes every second or two while somebody types. */
const TYPING_FOR_MS = 3_000;
const CUT = "Cut the connection";
const MEND = "Reconnect";

/**
 * Joins the chosen room, and joins again when the visitor logs in or out. What could not be sent to a room is sent at
 * the next time that the visitor joins it.
 */
export function start(): void {
  const panel = new Panel("chat");
  const log = new ChatLog(panel.find("log"));
  const people = panel.find("people");
  const typing = panel.find("typing");
  const input = panel.input("text");
  const cutKey = panel.button("cut");

  let room = "";
  /** What waits for rooms, by their ids. */
  const unsent = new Map<string, readonly Unsent[]>();
  let client: ChatClient | undefined;
  let cable = new Cable();
  let me = "";
  /** The last number shown. */
  let last = 0;
  /** `missed`: messages that came while the connection was lost, counted while the room still sends them. */
  let link: { state: "new" | "open" } | { state: "lost"; missed: number } = { state: "new" };
  /** Whether it is asked, or answered, why there is no connection. */
  let isAsked = false;
  let typingTimer: ReturnType<typeof setTimeout> | undefined;

  const nobodyTypes = () => typing.replaceChildren();

  const vacate = () => {
    people.replaceChildren();
    nobodyTypes();
  };

  const opened = () => {
    panel.link(`Live as ${nameOf(me)}`, true);
    panel.note("");
    if (link.state === "lost") log.mark(`Back. ${link.missed || "Nothing"} missed${link.missed ? ", now here" : ""}.`);
    else log.blank("Nobody has said anything yet.");
    link = { state: "open" };
    isAsked = false;
  };

  const lost = () => {
    vacate();
    panel.link(cable.isCut ? "Cut" : "Reconnecting", false);
    if (cable.isCut) panel.alert("Cut. What others say waits in the room; what you send waits here.");
    if (link.state === "open") {
      log.mark(`${cable.isCut ? "You cut the connection" : "The connection was lost"} after ${last}.`);
      link = { state: "lost", missed: 0 };
    } else if (!isAsked && !cable.isCut) {
      isAsked = true;
      void explain();
    }
  };

  /** A browser does not say why a socket was refused; the same room over HTTP does. */
  const explain = async () => {
    const asked = client;
    const answer = await call(`/room/${room}/messages?limit=1`);
    if (client !== asked) return;
    // Nothing was said, so the next failure asks again. The page's banner says that nobody answers.
    if (answer.status === 0) isAsked = false;
    if (answer.ok || !isAsked) return;
    panel.alert(answer.message);
    // Not a valid room id, so trying again cannot help.
    if (answer.status === 400) void client?.close();
  };

  const handle = (event: ChatEvent) => {
    switch (event.type) {
      case "connection":
        if (event.state === "open") opened();
        else if (event.state !== "connecting") lost();
        break;
      case "identity":
        me = event.userId;
        break;
      case "message":
        last = event.message.seq;
        if (link.state === "lost") link.missed++;
        if (event.message.userId !== me) nobodyTypes();
        log.message(event.message, me);
        break;
      case "deleted":
        log.deleted(event.seq);
        break;
      case "gap":
        log.mark(
          event.first <= event.after
            ? "The room was deleted and begun anew."
            : `Messages before ${event.first} are no longer kept.`,
        );
        break;
      case "presence":
        people.replaceChildren(`${event.users.length} here`, ...event.users.map(person));
        break;
      case "typing":
        typing.textContent = `${nameOf(event.userId)} is typing`;
        clearTimeout(typingTimer);
        typingTimer = setTimeout(nobodyTypes, TYPING_FOR_MS);
        break;
      case "refused":
        if (input.value === "") input.value = log.withdraw(event.clientId) ?? "";
        else log.refused(event.clientId);
        panel.alert(event.error);
        break;
    }
  };

  const person = (user: string) => (user === me ? element("b", "", "you") : element("span", "", nameOf(user)));

  let moving = Promise.resolve();
  /** Leaves the room, and joins another; without one, the same again. */
  const move = (chosen?: string) => {
    moving = moving.then(async () => {
      const waiting = await client?.close();
      if (waiting?.length) unsent.set(room, waiting);
      room = chosen ?? room;
      join();
    });
  };

  const join = () => {
    const waiting = unsent.get(room) ?? [];
    unsent.delete(room);
    cable = new Cable();
    link = { state: "new" };
    isAsked = false;
    last = 0;
    log.clear();
    for (const [id, { length }] of unsent) {
      const name = decodeURIComponent(id);
      log.mark(`What you sent to the room "${name}" (${length}) waits here. Choose that room again to send it.`);
    }
    for (const { clientId, frame } of waiting) log.pending(clientId, frame.text);
    vacate();
    cutKey.textContent = CUT;
    panel.note("");
    panel.link("Connecting", false);
    const url = socketUrl(`/room/${room}/ws`);
    const joined: ChatClient = new ChatClient({
      url,
      connect: cable.connect,
      waiting,
      onEvent: (event) => client === joined && handle(event),
    });
    client = joined;
    panel.commands(
      curl(`/room/${room}/messages?limit=20`),
      `# To talk, connect a WebSocket to\n# ${url}\n# and send {"type":"chat","text":"hello"}`,
    );
  };

  onName("room", move);
  onSubmit(panel.form("form"), () => {
    const text = input.value;
    if (!client || text.trim() === "") return;
    log.pending(client.send(text), text);
    input.value = "";
  });
  input.addEventListener("input", () => {
    if (input.value !== "") client?.typing();
  });
  cutKey.addEventListener("click", () => {
    if (cable.isCut) cable.mend();
    else cable.cut();
    cutKey.textContent = cable.isCut ? MEND : CUT;
  });
  onIdentity(() => move());
}
