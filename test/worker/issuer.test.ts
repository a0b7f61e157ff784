/** Users by a token (JWT) of the stack's issuer: which tokens are valid, and how the issuer's keys are fetched. */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { callerOf } from "../../worker/http/caller.ts";
import type { App } from "../../worker/http/context.ts";
import { problemResponse, Refusal } from "../../worker/http/problem.ts";
import { answerOf, type Caller, NOBODY, role, THE_ADMIN } from "../../worker/who.ts";
import { unique } from "./helpers.ts";

const ISSUER = "https://login.example.test/";
const AUDIENCE = "https://api.example.test";
const MINUTE = 60_000;

interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly pair: CryptoKeyPair;
  readonly how: Parameters<typeof crypto.subtle.sign>[0];
}

const encode = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });

async function signer(alg: string, key: object, how: Signer["how"]): Promise<Signer> {
  const pair = await crypto.subtle.generateKey({ name: "", ...key }, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error(`${alg} has no pair of keys`);
  return { kid: unique(), alg, pair, how };
}
const rsa = () =>
  signer(
    "RS256",
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
    "RSASSA-PKCS1-v1_5",
  );
const curve = () => signer("ES256", { name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" });
const edwards = () => signer("EdDSA", { name: "Ed25519" }, "Ed25519");

async function jwk({ kid, pair }: Signer): Promise<object> {
  const key = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { ...key, kid, use: "sig" };
}

/** A token. `header` and `claims` override those of a valid one. */
async function tokenOf(by: Signer, claims: object = {}, header: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const head = encode({ alg: by.alg, typ: "JWT", kid: by.kid, ...header });
  const body = encode({ iss: ISSUER, aud: AUDIENCE, sub: "auth0|6123", iat: now, exp: now + 300, ...claims });
  const signature = await crypto.subtle.sign(by.how, by.pair.privateKey, new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${new Uint8Array(signature).toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

const who = new Hono<App>()
  .get("/", async (c) => c.json(await callerOf(c)))
  .onError((error) => {
    if (error instanceof Refusal) return problemResponse(error.problem);
    throw error;
  });

let key: Signer;
let jwksUrl: string;
/** The answer of the keys' address. */
let answer: () => Response | Promise<Response>;
const asked = vi.spyOn(globalThis, "fetch").mockImplementation(async () => answer());

const serve = async (...keys: Signer[]) => {
  const served = await Promise.all(keys.map(jwk));
  answer = () => Response.json({ keys: served });
};

async function ask(headers: Record<string, string>, identity: object | null = settings()) {
  const stack = { ...env, SETTINGS: { ...env.SETTINGS, ...(identity && { identity }) } };
  const response = await who.fetch(new Request("https://stack.test/", { headers }), stack);
  return { status: response.status, body: await response.json() };
}
const settings = () => ({ issuer: ISSUER, audience: AUDIENCE, jwksUrl });
const show = (token: string) => ask({ Authorization: `Bearer ${token}` });

beforeAll(async () => {
  key = await rsa();
});
beforeEach(async () => {
  // Keys are remembered by address, so each test uses an issuer of its own.
  jwksUrl = `https://login.example.test/${unique()}`;
  asked.mockClear();
  await serve(key);
});
afterEach(() => vi.useRealTimers());

describe("a token of the issuer", () => {
  it.each([
    ["RS256", rsa],
    ["ES256", curve],
    ["EdDSA", edwards],
  ])("is valid if it is signed with %s", async (_, make) => {
    const by = await make();
    await serve(key, by);
    expect(await show(await tokenOf(by))).toMatchObject({ status: 200, body: { kind: "user", id: "auth0|6123" } });
  });

  it.each([
    ["an access token", {}, { typ: "at+jwt" }, "auth0|6123"],
    ["one without a type", {}, { typ: undefined }, "auth0|6123"],
    ["one for several audiences", { aud: ["https://other.test", AUDIENCE] }, {}, "auth0|6123"],
    ["the id of another provider", { sub: "did:plc:abc" }, {}, "did:plc:abc"],
    ["an id with an apostrophe", { sub: "O'Brien" }, {}, "O'Brien"],
    ["an id with an accent and an emoji", { sub: "Zoë ❤️" }, {}, "Zoë ❤️"],
  ])("is valid as %s", async (_, claims, header, id) => {
    expect(await show(await tokenOf(key, claims, header))).toMatchObject({ status: 200, body: { kind: "user", id } });
  });

  it("is valid as a subprotocol, which a page can offer for a WebSocket", async () => {
    const offered = await ask({ "Sec-WebSocket-Protocol": `chat.batched, ${await tokenOf(key)}` });
    expect(offered).toMatchObject({ status: 200, body: { kind: "user", id: "auth0|6123" } });
  });

  const now = Math.floor(Date.now() / 1_000);
  it.each([
    ["has expired", { exp: now - 1 }, {}],
    ["never expires", { exp: undefined }, {}],
    ["is not valid yet", { nbf: now + 60 }, {}],
    ["is another issuer's", { iss: "https://login.example.test" }, {}],
    ["is for another audience", { aud: "https://other.test" }, {}],
    ["has no audience", { aud: undefined }, {}],
    ["has no user", { sub: undefined }, {}],
    ["would be the admin", { sub: "admin" }, {}],
    ["would be a guest", { sub: "guest-1" }, {}],
    ["has an invisible character in its id", { sub: "a\u202Eb" }, {}],
    ["has an invisible letter in its id", { sub: "bob\u3164" }, {}],
    ["has an invisible mark in its id", { sub: "bob\u034F" }, {}],
    ["has an empty pattern of Braille in its id", { sub: "bob\u2800" }, {}],
    ["has what makes an emoji behind a letter of its id", { sub: "bob\uFE0F" }, {}],
    ["names no key", {}, { kid: undefined }],
    ["names an unknown key", {}, { kid: "other" }],
    ["has an unknown critical header", {}, { crit: ["exp"] }],
    ["is of another type", {}, { typ: "secevent+jwt" }],
  ])("is refused if it %s", async (_, claims, header) => {
    expect((await show(await tokenOf(key, claims, header))).status).toBe(401);
  });

  it("is refused if it is forged: by another key, without one, with the public key as a secret, or changed", async () => {
    const good = await tokenOf(key);
    const [head = "", body = "", signature = ""] = good.split(".");
    const none = `${encode({ alg: "none", typ: "JWT", kid: key.kid })}.${body}.${signature}`;
    const secret = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(JSON.stringify(await jwk(key))),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const symmetric = `${encode({ alg: "HS256", typ: "JWT", kid: key.kid })}.${body}`;
    const mac = await crypto.subtle.sign("HMAC", secret, new TextEncoder().encode(symmetric));
    const forged = [
      await tokenOf({ ...(await rsa()), kid: key.kid }),
      none,
      `${symmetric}.${new Uint8Array(mac).toBase64({ alphabet: "base64url", omitPadding: true })}`,
      `${head}.${encode({ iss: ISSUER, aud: AUDIENCE, sub: "auth0|1", exp: now + 300 })}.${signature}`,
      `${head}.${body}.${signature.slice(0, -2)}`,
      "eyJh.eyJh.eyJh",
    ];
    for (const token of forged) expect((await show(token)).status, token).toBe(401);
  });

  it.each([
    ["a list", ["auditor", "editor"], ["auditor", "editor"]],
    ["a text with spaces between them", "auditor  editor", ["auditor", "editor"]],
    ["a list with what is no role", ["auditor", 7, "", null], ["auditor"]],
    ["nothing", undefined, undefined],
    ["an empty text", "", undefined],
    ["another kind of value", { auditor: true }, undefined],
  ])("gives its user the roles of the claim that the stack names: %s", async (_, claim, roles) => {
    const token = await tokenOf(key, { "https://example.test/roles": claim });
    const identity = { ...settings(), rolesClaim: "https://example.test/roles" };
    const user = { kind: "user", id: "auth0|6123", until: expect.any(Number), roles };
    expect(await ask({ Authorization: `Bearer ${token}` }, identity)).toEqual({ status: 200, body: user });
  });

  it("gives its user no roles where the stack names no claim for them", async () => {
    expect((await show(await tokenOf(key, { roles: ["auditor"] }))).body).not.toHaveProperty("roles");
  });

  it("is refused on a stack without an issuer", async () => {
    const { status } = await ask({ Authorization: `Bearer ${await tokenOf(key)}` }, null);
    expect(status).toBe(401);
    expect(asked).not.toHaveBeenCalled();
  });
});

describe("the rule for a role", () => {
  const answer = (caller: Caller) => answerOf(role("auditor"), "ledger.audit", { caller });

  it("lets in the users that have it, and nobody else but the admin and granted keys", () => {
    const user: Caller = { kind: "user", id: "ann" };
    expect(answer({ ...user, roles: ["editor", "auditor"] })).toBe(true);
    for (const roles of [[], ["audit"], ["auditors"], ["Auditor"]]) expect(answer({ ...user, roles })).toBe(false);
    expect([answer(user), answer(NOBODY), answer(THE_ADMIN)]).toEqual([false, false, true]);
    const key: Caller = { kind: "service", id: "key-1" };
    expect([answer({ ...key, grants: ["counter"] }), answer({ ...key, grants: ["ledger"] })]).toEqual([false, true]);
  });
});

describe("the issuer's keys", () => {
  it("are fetched once, and not again for every unknown key", async () => {
    for (let i = 0; i < 3; i++) expect((await show(await tokenOf(key))).status).toBe(200);
    for (let i = 0; i < 3; i++) await show(await tokenOf(key, {}, { kid: unique() }));
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it("are fetched again for a new key, half a minute later", async () => {
    await show(await tokenOf(key));
    const next = await curve();
    await serve(next);
    expect((await show(await tokenOf(next))).status).toBe(401);
    vi.useFakeTimers({ now: Date.now() + MINUTE, toFake: ["Date"] });
    expect((await show(await tokenOf(next))).status).toBe(200);
    // Keys that the issuer has removed are no longer valid.
    expect((await show(await tokenOf(key))).status).toBe(401);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("down"))],
    ["answers 500", () => new Response("", { status: 500 })],
    ["answers with a page", () => new Response("<html>")],
    ["answers without end", () => Response.json({ keys: ["x".repeat(300_000)] })],
  ])("are kept for a day while their address %s; without keys, 503", async (_, broken) => {
    vi.spyOn(console, "error").mockReturnValue();
    const good = answer;
    answer = broken;
    expect(await show(await tokenOf(key))).toMatchObject({ status: 503 });
    answer = good;
    expect((await show(await tokenOf(key))).status).toBe(200);
    answer = broken;
    vi.useFakeTimers({ now: Date.now() + 60 * MINUTE, toFake: ["Date"] });
    expect((await show(await tokenOf(key))).status).toBe(200);
    vi.setSystemTime(Date.now() + 24 * 60 * MINUTE);
    expect((await show(await tokenOf(key))).status).toBe(503);
    vi.setSystemTime(Date.now() + 1_000);
    expect((await show(await tokenOf(key))).status).toBe(503);
    answer = good;
    expect((await show(await tokenOf(key))).status).toBe(200);
  });

  it("that are being fetched refuse no token for good: who comes meanwhile is asked to try again", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    await serve(key);
    const bearer = async (by: Signer) => ({ Authorization: `Bearer ${await tokenOf(by)}` });
    expect((await ask(await bearer(key))).status).toBe(200);
    vi.setSystemTime(Date.now() + MINUTE);
    const next = await edwards();
    await serve(key, next);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const own = answer;
    answer = async () => {
      await released;
      return own();
    };
    const first = ask(await bearer(next));
    await expect.poll(() => asked).toHaveBeenCalledTimes(2);
    expect((await ask(await bearer(next))).status).toBe(503);
    expect((await ask(await bearer(key))).status).toBe(200);
    release();
    expect((await first).status).toBe(200);
    expect((await ask(await bearer(next))).status).toBe(200);
  });

  it("that cannot be used are skipped", async () => {
    const served = [null, { kid: 5 }, { kid: "oct", kty: "oct", k: "c2VjcmV0" }, await jwk(key)];
    answer = () => Response.json({ keys: served });
    expect((await show(await tokenOf(key))).status).toBe(200);
  });
});
