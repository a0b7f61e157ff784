/** Wrong or unusual input: refused with what is wrong, or taken as it is. Never an internal error. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { account, refusal, type TestAccount } from "./support.ts";

/** A call with any body. */
async function send(test: TestAccount, method: string, at: string, init: RequestInit = {}) {
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${test.running.token}` };
  return fetch(`${test.running.apiUrl}/accounts/${test.id}${at}`, { ...init, method, headers });
}

/** The status and the sentence of a call that is refused. */
async function refused(answer: Response): Promise<{ status: number; message: string }> {
  const body: { errors: readonly { message: string }[] } = await answer.json();
  return { status: answer.status, message: body.errors[0]?.message ?? "" };
}

const FORM = { "content-type": "multipart/form-data; boundary=b" };
const partOf = (name: string, contents: Uint8Array) =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    contents,
    Buffer.from("\r\n--b--\r\n"),
  ]);

const namespaceOf = async ({ sdk, id }: TestAccount) => {
  const { id: namespace } = await sdk.kv.namespaces.create({ account_id: id, title: "kv" });
  return `/storage/kv/namespaces/${namespace}`;
};

it("imports a file of SQL by its bytes: without a byte order mark, and only UTF-8", async () => {
  const test = await account();
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: test.id, name: "app" });
  const importing = (step: object) => test.call("post", `/d1/database/${uuid}/import`, step);
  const run = async (contents: Buffer) => {
    const etag = createHash("md5").update(contents).digest("hex");
    const begun = await importing({ action: "init", etag });
    if (typeof begun !== "object" || begun === null || !("filename" in begun && "upload_url" in begun))
      throw new Error("there is no address for the upload");
    const uploaded = await fetch(String(begun.upload_url), { method: "PUT", body: new Uint8Array(contents) });
    expect(uploaded.headers.get("etag")).toBe(`"${etag}"`);
    return importing({ action: "ingest", etag, filename: begun.filename });
  };
  expect(await run(Buffer.from("\ufeffCREATE TABLE t (name); INSERT INTO t VALUES ('ä');"))).toMatchObject({
    status: "complete",
    result: { num_queries: 2 },
  });
  const latin1 = Buffer.from("INSERT INTO t VALUES ('ä');", "latin1");
  expect(await refusal(run(latin1))).toMatchObject({
    status: 400,
    message: expect.stringContaining("not UTF-8 from byte 23 on"),
  });
  expect(await test.call("post", `/d1/database/${uuid}/query`, { sql: "SELECT name FROM t" })).toMatchObject([
    { results: [{ name: "ä" }] },
  ]);
});
