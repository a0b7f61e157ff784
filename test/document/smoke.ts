/** Documents: edits of two clients merge, also those of one that was cut off; versions can be restored. */
import { within } from "../../infra/smoke/client.ts";
import { equal, holds, member, status } from "../../infra/smoke/expect.ts";
import { logIn, NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";
import { type Peer, updateOf } from "./client.ts";
import { connect } from "./connect.ts";

export async function probe({ client, id, options: { adminToken } }: Subject): Promise<string> {
  const path = `/document/${id}`;
  const [ann, ben] = [await logIn(client, `${id}-ann`, adminToken), await logIn(client, `${id}-ben`, adminToken)];
  const { token } = ann;
  const bytes = { "Content-Type": "application/octet-stream" };
  const begun = await client.call(path, { text: updateOf("a text"), headers: bytes, token });
  if (token === undefined && begun.status === 401) return NEEDS_TOKEN;
  status("an update", begun, 200);
  status("no update", await client.call(path, { text: "hello", headers: bytes, token }), 400);
  const peers: Peer[] = [];
  try {
    const a = await connect(client, path, token);
    peers.push(a);
    const b = await connect(client, path, ben.token);
    peers.push(b);
    equal("the text", b.text.toString(), "a text");
    a.text.insert(0, "hello: ");
    await within(
      b.until(() => b.text.toString() === "hello: a text"),
      "the edit",
    );
    b.cut();
    b.text.insert(b.text.length, ", from ben");
    a.text.insert(0, "ann: ");
    await connect(client, path, ben.token, b);
    const merged = "ann: hello: a text, from ben";
    await within(
      Promise.all([a, b].map((peer) => peer.until(() => peer.text.toString() === merged))).then(),
      "both edits",
    );

    const json = { name: "first" };
    const version = member(status("a version", await client.call(`${path}/versions`, { json, token }), 201), "number");
    a.text.delete(0, a.text.length);
    await within(
      b.until(() => b.text.length === 0),
      "the deletion",
    );
    status("its restoration", await client.call(`${path}/restore`, { json: { version }, token }), 200);
    await within(
      b.until(() => b.text.toString() === merged),
      "the restored text",
    );
    const read = await client.call(path, { headers: { Accept: "text/plain" }, token });
    equal("the text over HTTP", status("the document", read, 200), merged);
    holds("nothing was refused", a.denials.length + b.denials.length === 0);
    return "merged, resumed after a cut, restored from a version";
  } finally {
    for (const peer of peers) peer.destroy();
    await Promise.all([ann.logOut(), ben.logOut()]);
  }
}
