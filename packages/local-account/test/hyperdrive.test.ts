/** Hyperdrive: configurations, and Workers that reach the database behind one. */
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { Account } from "../src/account.ts";
import { project } from "../src/runtime/projection.ts";
import { listening } from "./listening.ts";
import { account, refusal, temporaryDirectory } from "./support.ts";

/** A server that stands for a database: it answers with what it got. Returns its port. */
async function database(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => socket.end(`got ${data}`));
  });
  onTestFinished(() => void server.close());
  return listening(server);
}

const originOf = (port: number) => ({
  scheme: "postgres" as const,
  host: "127.0.0.1",
  port,
  database: "shop",
  user: "me",
  password: "se:cr/et",
});

it.each(["se:cr/et", "a#b?c%d%41&e f@g'ü"])(
  "gives a Worker the address of the database, and a connection to it, with the password %s",
  async (password) => {
    const test = await account();
    const origin = { ...originOf(await database()), password };
    const { id } = await test.sdk.hyperdrive.configs.create({ account_id: test.id, name: "shop", origin });
    await test.deploy("app", {
      bindings: [{ type: "hyperdrive", name: "DB", id }],
      fetch: `
      const { host, port, user, password, database, connectionString } = env.DB;
      const socket = env.DB.connect();
      const writer = socket.writable.getWriter();
      await writer.write(new TextEncoder().encode("hello"));
      const answer = await new Response(socket.readable).text();
      return Response.json({ host, port, user, password, database, answer, connectionString, keys: Object.keys(env) });`,
    });
    const { host, connectionString, ...rest } = (await test.ask("app")).json();
    expect(rest).toEqual({ port: 5432, user: "me", password, database: "shop", answer: "got hello", keys: ["DB"] });
    const url = new URL(String(connectionString));
    expect(url).toMatchObject({
      protocol: "postgres:",
      username: "me",
      hostname: host,
      port: "5432",
      pathname: "/shop",
      search: "?sslmode=disable",
    });
    expect(decodeURIComponent(url.password)).toBe(password);
  },
);

it("connects by the host of the binding, as drivers do", async () => {
  const test = await account();
  const origin = originOf(await database());
  const { id } = await test.sdk.hyperdrive.configs.create({ account_id: test.id, name: "shop", origin });
  await test.deploy("app", {
    code: `import { connect } from "cloudflare:sockets";
      export default { async fetch(request, { DB }) {
        const socket = connect({ hostname: DB.host, port: DB.port });
        await socket.writable.getWriter().write(new TextEncoder().encode("hello"));
        return new Response(socket.readable);
      } };`,
    bindings: [{ type: "hyperdrive", name: "DB", id }],
  });
  expect((await test.ask("app")).text).toBe("got hello");
});

it("turns TLS off for a database on this machine, and for no other", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const bindings: object[] = [];
  for (const host of ["127.0.0.1", "localhost", "127.db.example.com", "db.example.com"]) {
    const origin = { ...originOf(5_432), host };
    const { id } = await test.sdk.hyperdrive.configs.create({ account_id: test.id, name: host, origin });
    bindings.push({ type: "hyperdrive", name: host, id });
  }
  await test.deploy("app", { bindings, tag: "app" });
  await test.close();
  const store = Account.lock(dir);
  onTestFinished(() => store.close());
  // What a Worker sees is the way to Miniflare, which has the TLS.
  const [service] = project(store.state, { previews: new Set(), broken: new Map() });
  const plain = Object.entries(service?.env ?? {}).filter(([, bound]) =>
    JSON.stringify(bound).includes("sslmode=disable"),
  );
  expect(plain.map(([host]) => host).sort()).toEqual(["127.0.0.1", "localhost"]);
});

it("shows, changes and deletes configurations, and never shows the password", async () => {
  const test = await account();
  const account_id = test.id;
  const { configs } = test.sdk.hyperdrive;
  const origin = originOf(5_432);
  const { password: _, ...address } = origin;
  const made = await configs.create({ account_id, name: "shop", origin, caching: { disabled: true } });
  expect(made).toMatchObject({ name: "shop", origin: address, caching: { disabled: true } });
  expect(made.origin).not.toHaveProperty("password");
  const { id } = made;
  expect(await refusal(configs.create({ account_id, name: "shop", origin }))).toMatchObject({
    status: 409,
    code: 2017,
  });
  expect(await configs.edit(id, { account_id, origin: { host: "localhost", port: 5_433 } })).toMatchObject({
    name: "shop",
    origin: { ...address, host: "localhost", port: 5_433 },
    caching: { disabled: true },
  });
  expect(await configs.update(id, { account_id, name: "renamed", origin })).toMatchObject({ name: "renamed" });
  expect((await configs.list({ account_id })).result.map(({ name }) => name)).toEqual(["renamed"]);
  expect(await configs.get(id, { account_id })).toMatchObject({ name: "renamed", caching: { disabled: false } });
  const tunnel = { ...address, access_client_id: "a", access_client_secret: "b" };
  expect(await refusal(test.call("post", "/hyperdrive/configs", { name: "tunnel", origin: tunnel }))).toMatchObject({
    status: 501,
    message: expect.stringContaining("Access tunnel"),
  });
  await configs.delete(id, { account_id });
  expect(await refusal(configs.get(id, { account_id }))).toMatchObject({ status: 404 });
  expect(await refusal(test.deploy("app", { bindings: [{ type: "hyperdrive", name: "DB", id }] }))).toMatchObject({
    message: expect.stringContaining(`no Hyperdrive configuration '${id}'`),
  });
});

it("takes IPv6 addresses, and refuses what is no host", async () => {
  const test = await account();
  const create = (name: string, host: string) =>
    test.sdk.hyperdrive.configs.create({ account_id: test.id, name, origin: { ...originOf(5432), host } });
  for (const host of ["a b", "a/b", "me@host", "host:5432", "::x"])
    expect(await refusal(create("shop", host))).toMatchObject({
      status: 400,
      message: expect.stringContaining("origin.host: must be a name"),
    });
  const { id } = await create("shop", "::1");
  await test.deploy("app", {
    bindings: [{ type: "hyperdrive", name: "DB", id }],
    fetch: "return new Response(env.DB.user);",
  });
  expect(await test.ask("app")).toMatchObject({ status: 200, text: "me" });
});

it("refuses an origin of which no URL can be made", async () => {
  const test = await account();
  for (const part of [{ password: "" }, { user: "" }, { password: "\ud800" }, { database: "x\udfff" }])
    expect(
      await refusal(test.call("post", "/hyperdrive/configs", { name: "shop", origin: { ...originOf(1), ...part } })),
    ).toMatchObject({ status: 400, message: expect.stringContaining(`origin.${Object.keys(part)[0]}: `) });
});
